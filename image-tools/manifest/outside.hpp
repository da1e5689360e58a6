// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/outside.hpp - what a container says of the world outside, and how it gets there.
//
// Internal to image-tools/manifest.
#pragma once

#include "image-tools/manifest/binder.hpp"
#include "image-tools/manifest/manifest.hpp"

#include <optional>

namespace manifest {

// "192.0.2.10" at the front of `text`, which is taken off; nothing: it is none.
std::optional<std::uint32_t> take_ipv4(std::string_view& text);
// "2001:db8::10", all of it.
std::optional<net::Address6> parse_ipv6(std::string_view text);
// As RFC 5952 wants it written.
std::string ipv6_text(const net::Address6& address);
// "192.0.2.0/24" or "2001:db8::/32", also without a prefix (32, 128). Nothing: it is neither, or has bits set behind its prefix.
std::optional<AddressRange> parse_range(std::string_view text);

// The keys address, gateway and dns of whoever has a network card.
std::vector<Key> card_keys(const Binder& binder, Partition& out);
// Those and the others of a container.
std::vector<Key> outside_keys(const Binder& binder, Partition& out);

// One more published port (manifest.hpp, Published). Throws E0103.
void publish(Manifest& manifest, const std::string& port);

// What containers that have to do with the outside are not told: who has a device or an address has a card of its own, any where it
// is not named, and DHCP where no address is. Of the others a single one has one too; several share the uplink, which is
// added to the partitions. Numbers the cards.
void complete_outside(Manifest& manifest);

// What they mean together, and with devices and rules.
void check_outside(const Binder& binder, const Manifest& manifest);

} // namespace manifest
