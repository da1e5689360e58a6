// SPDX-License-Identifier: Apache-2.0
// image-tools/build/network.cpp - see network.hpp.
#include "image-tools/build/network.hpp"

#include "partitions/net/packet.hpp"

#include <algorithm>

namespace build {

std::vector<plan::WireRequest> wires_of(const manifest::Manifest& manifest) {
    const auto place = [&manifest](const std::string& name) {
        const auto found = std::ranges::find(manifest.partitions, name, &manifest::Partition::name);
        return static_cast<std::uint32_t>(found - manifest.partitions.begin());
    };
    std::vector<plan::WireRequest> out;
    for (const manifest::NetworkRule& rule : manifest.network.allow) {
        const plan::WireRequest wish{place(rule.from.value), place(rule.to.value), rule.one_way};
        const bool there = std::ranges::any_of(out, [&wish](const plan::WireRequest& other) {
            return (other.from == wish.from && other.to == wish.to) ||
                   (other.from == wish.to && other.to == wish.from);
        });
        if (!there)
            out.push_back(wish);
    }
    return out;
}

bool has_wires(const manifest::Manifest& manifest, const manifest::Partition& partition) {
    return std::ranges::any_of(manifest.network.allow, [&partition](const manifest::NetworkRule& rule) {
        return rule.from.value == partition.name || rule.to.value == partition.name;
    });
}

StartupNetwork network_of(const manifest::Manifest& manifest, const manifest::Partition& partition) {
    StartupNetwork out;
    if (!has_wires(manifest, partition))
        return out;
    const auto own = static_cast<std::size_t>(
        std::ranges::find(manifest.partitions, partition.name, &manifest::Partition::name) -
        manifest.partitions.begin());
    out.address = manifest.network.address_of(own);
    out.prefix = manifest.network.prefix;
    for (const plan::WireRequest& wire : wires_of(manifest))
        if (wire.from == own || wire.to == own) {
            const std::size_t peer = wire.from == own ? wire.to : wire.from;
            out.peers.push_back({manifest.partitions[peer].name, manifest.network.address_of(peer)});
        }
    for (const manifest::NetworkRule& rule : manifest.network.allow) {
        const bool inbound = rule.to.value == partition.name;
        if (!inbound && rule.from.value != partition.name)
            continue;
        const auto peer = std::ranges::find(out.peers, inbound ? rule.from.value : rule.to.value,
                                            &StartupNetwork::Peer::name);
        caisson_rule entry{0,
                           0xFFFF,
                           static_cast<std::uint8_t>(peer - out.peers.begin()),
                           inbound ? std::uint8_t{1} : std::uint8_t{0},
                           net::protocol::any,
                           0};
        if (rule.ports.empty())
            out.rules.push_back(entry);
        for (const manifest::Ports& ports : rule.ports) {
            entry.first_port = ports.first;
            entry.last_port = ports.last;
            entry.protocol = ports.udp ? net::protocol::udp : net::protocol::tcp;
            out.rules.push_back(entry);
        }
    }
    return out;
}

} // namespace build
