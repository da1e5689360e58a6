// SPDX-License-Identifier: Apache-2.0
// image-tools/build/network.cpp - see network.hpp.
#include "image-tools/build/network.hpp"

#include "partitions/net/packet.hpp"

#include <algorithm>

namespace build {

namespace {

bool has_wires(const manifest::Manifest& manifest, const manifest::Partition& partition) {
    return std::ranges::any_of(manifest.network.allow, [&partition](const manifest::NetworkRule& rule) {
        return !rule.to_outside() && (rule.from.value == partition.name || rule.to.value == partition.name);
    });
}

// One for each of the rule's ports and ranges.
void add_rule(const manifest::NetworkRule& rule, std::size_t peer, bool inbound,
              std::vector<caisson_rule>& out) {
    const std::vector<manifest::AddressRange> all{{}};
    for (const manifest::AddressRange& range : rule.ranges.empty() ? all : rule.ranges) {
        caisson_rule entry{};
        entry.last_port = 0xFFFF;
        entry.peer = static_cast<std::uint8_t>(peer);
        entry.inbound = inbound ? 1 : 0;
        entry.protocol = net::protocol::any;
        entry.network = range.network;
        entry.mask = range.mask;
        if (rule.ports.empty())
            out.push_back(entry);
        for (const manifest::Ports& one : rule.ports) {
            entry.first_port = one.first;
            entry.last_port = one.last;
            entry.protocol = one.udp ? net::protocol::udp : net::protocol::tcp;
            out.push_back(entry);
        }
    }
}

// The card's side: what is published may be begun from there, under its number inside.
void add_outside(const manifest::Partition& partition, StartupNetwork& out) {
    out.outside = partition.outside;
    for (const manifest::PublishedPort& port : partition.published) {
        const std::uint8_t protocol = port.udp ? net::protocol::udp : net::protocol::tcp;
        manifest::NetworkRule rule;
        rule.ports = {{port.udp, port.inside, port.inside}};
        add_rule(rule, out.peers.size(), true, out.rules);
        if (port.outside != port.inside)
            out.published.push_back({port.outside, port.inside, protocol, {}});
    }
    for (const manifest::Outside::TimeServer& server : partition.outside->time_servers) {
        manifest::NetworkRule rule;
        rule.ports = {{true, server.port, server.port}};
        rule.ranges = {{server.address, ~std::uint32_t{0}}};
        add_rule(rule, out.peers.size(), false, out.rules);
    }
}

} // namespace

std::vector<plan::WireRequest> wires_of(const manifest::Manifest& manifest) {
    const auto place = [&manifest](const std::string& name) {
        const auto found = std::ranges::find(manifest.partitions, name, &manifest::Partition::name);
        return static_cast<std::uint32_t>(found - manifest.partitions.begin());
    };
    std::vector<plan::WireRequest> out;
    for (const manifest::NetworkRule& rule : manifest.network.allow) {
        if (rule.to_outside())
            continue;
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

bool is_networked(const manifest::Manifest& manifest, const manifest::Partition& partition) {
    return partition.outside || has_wires(manifest, partition);
}

StartupNetwork network_of(const manifest::Manifest& manifest, const manifest::Partition& partition) {
    StartupNetwork out;
    const auto own = static_cast<std::size_t>(
        std::ranges::find(manifest.partitions, partition.name, &manifest::Partition::name) -
        manifest.partitions.begin());
    if (has_wires(manifest, partition)) {
        out.address = manifest.network.address_of(own);
        out.prefix = manifest.network.prefix;
    }
    for (const plan::WireRequest& wire : wires_of(manifest))
        if (wire.from == own || wire.to == own) {
            const std::size_t peer = wire.from == own ? wire.to : wire.from;
            out.peers.push_back({manifest.partitions[peer].name, manifest.network.address_of(peer)});
        }
    if (partition.outside)
        add_outside(partition, out);
    for (const manifest::NetworkRule& rule : manifest.network.allow) {
        const bool inbound = rule.to.value == partition.name;
        if (!inbound && rule.from.value != partition.name)
            continue;
        // The outside is behind the last of the peers.
        const auto peer = std::ranges::find(out.peers, inbound ? rule.from.value : rule.to.value,
                                            &StartupNetwork::Peer::name);
        add_rule(rule, static_cast<std::size_t>(peer - out.peers.begin()), inbound, out.rules);
    }
    return out;
}

} // namespace build
