// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/outside.hpp - what a container with a network card of its own says of the world behind it.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

#include <optional>

namespace manifest {

// "192.0.2.10" at the front of `text`, which is taken off; nothing: it is none.
std::optional<std::uint32_t> take_ipv4(std::string_view& text);
// "192.0.2.0/24", also without a prefix (32). Nothing: it is neither, or has bits set behind its prefix.
std::optional<AddressRange> parse_range(std::string_view text);

// The keys address, gateway, dns and ports of a partition.
std::vector<Key> outside_keys(const Binder& binder, Partition& out);

// What a container that has to do with the outside is not told: a card is any, an address comes by DHCP. Numbers the cards.
void complete_outside(Manifest& manifest);

// What they mean together, and with devices and rules.
void check_outside(const Binder& binder, const Manifest& manifest);

} // namespace manifest
