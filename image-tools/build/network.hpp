// SPDX-License-Identifier: Apache-2.0
// image-tools/build/network.hpp - the manifest's rules as wires of the plan, and as what each container is told of them.
#pragma once

#include "image-tools/build/startup.hpp"
#include "image-tools/manifest/manifest.hpp"
#include "image-tools/plan/layout.hpp"

#include <vector>

namespace build {

// The wires that the rules ask for: one for each pair, in the order of the first rule of each; then those to the uplink, in the
// order of the containers.
std::vector<plan::WireRequest> wires_of(const manifest::Manifest& manifest);

// IP's number of UDP or TCP.
std::uint8_t protocol_of(bool udp);

// A rule as containers are told it, one for each of its ports and ranges of IPv4. `peer`: whose end the other one is.
std::vector<caisson_rule> entries_of(const manifest::NetworkRule& rule, std::size_t peer, bool inbound);
// The same of IPv6, and the outside.
std::vector<caisson_rule6> entries6_of(const manifest::NetworkRule& rule, bool inbound);

// What a container may begin outside, by its rules and to its time servers, and what may be begun from there at its published
// ports, under their numbers inside.
struct OutsideRule {
    manifest::NetworkRule rule;
    bool inbound = false;
};
std::vector<OutsideRule> outside_rules(const manifest::Manifest& manifest,
                                       const manifest::Partition& partition);

// Whether a rule gives it a wire, or it has to do with the outside: then its kernel is the one with a network.
bool is_networked(const manifest::Manifest& manifest, const manifest::Partition& partition);

// Peers in the order of the partition's links, the outside, and the rules from its side.
StartupNetwork network_of(const manifest::Manifest& manifest, const manifest::Partition& partition);

} // namespace build
