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

// The side of the outside: the last of the peers, behind them all.
void add_outside(const manifest::Manifest& manifest, const manifest::Partition& partition,
                 StartupNetwork& out) {
    out.outside = partition.outside;
    for (const OutsideRule& one : outside_rules(manifest, partition))
        for (const caisson_rule& entry : entries_of(one.rule, out.peers.size(), one.inbound))
            out.rules.push_back(entry);
    if (!partition.is_behind_uplink() && partition.outside->way6 != manifest::Outside::Way6::none)
        for (const OutsideRule& one : outside_rules(manifest, partition))
            for (const caisson_rule6& entry : entries6_of(one.rule, one.inbound))
                out.rules6.push_back(entry);
    if (partition.is_behind_uplink()) { // which gives published ports their numbers
        manifest::Outside& way = *out.outside;
        way.gateway = manifest::Located<std::uint32_t>{manifest.network.uplink_address(), way.spot};
        if (way.name_servers.empty())
            way.name_servers.push_back(manifest.network.uplink_address());
        out.outside_link = static_cast<std::uint16_t>(out.peers.size());
        return;
    }
    for (const manifest::PublishedPort& port : partition.published)
        if (port.outside != port.inside)
            out.published.push_back({port.outside, port.inside, protocol_of(port.udp), {}});
}

} // namespace

std::uint8_t protocol_of(bool udp) {
    return udp ? net::protocol::udp : net::protocol::tcp;
}

namespace {

// One for each of the ports of a rule; all of them where it names none.
template <typename Entry>
void add_entries(const manifest::NetworkRule& rule, Entry entry, std::vector<Entry>& out) {
    entry.last_port = 0xFFFF;
    entry.protocol = net::protocol::any;
    if (rule.ports.empty())
        out.push_back(entry);
    for (const manifest::Ports& one : rule.ports) {
        entry.first_port = one.first;
        entry.last_port = one.last;
        entry.protocol = protocol_of(one.udp);
        out.push_back(entry);
    }
}

} // namespace

std::vector<caisson_rule> entries_of(const manifest::NetworkRule& rule, std::size_t peer, bool inbound) {
    std::vector<caisson_rule> out;
    const std::vector<manifest::AddressRange> all{{}};
    for (const manifest::AddressRange& range : rule.ranges.empty() ? all : rule.ranges) {
        if (range.v6)
            continue;
        caisson_rule entry{};
        entry.peer = static_cast<std::uint8_t>(peer);
        entry.inbound = inbound ? 1 : 0;
        entry.network = range.network;
        entry.mask = range.mask;
        add_entries(rule, entry, out);
    }
    return out;
}

std::vector<caisson_rule6> entries6_of(const manifest::NetworkRule& rule, bool inbound) {
    std::vector<caisson_rule6> out;
    const std::vector<manifest::AddressRange> all{{.v6 = true}};
    for (const manifest::AddressRange& range : rule.ranges.empty() ? all : rule.ranges) {
        if (!range.v6)
            continue;
        caisson_rule6 entry{};
        entry.inbound = inbound ? 1 : 0;
        entry.prefix = static_cast<std::uint8_t>(range.prefix6);
        net::write_address6(range.network6, std::as_writable_bytes(std::span{entry.network}));
        add_entries(rule, entry, out);
    }
    return out;
}

std::vector<OutsideRule> outside_rules(const manifest::Manifest& manifest,
                                       const manifest::Partition& partition) {
    std::vector<OutsideRule> out;
    for (const manifest::PublishedPort& port : partition.published) {
        OutsideRule& one = out.emplace_back();
        one.rule.ports = {{port.udp, port.inside, port.inside}};
        one.inbound = true;
    }
    for (const manifest::Outside::TimeServer& server : partition.outside->time_servers) {
        OutsideRule& one = out.emplace_back();
        one.rule.ports = {{true, server.port, server.port}};
        one.rule.ranges = {{.network = server.address, .mask = ~std::uint32_t{0}}};
    }
    for (const manifest::NetworkRule& rule : manifest.network.allow)
        if (rule.to_outside() && rule.from.value == partition.name)
            out.push_back({rule, false});
    return out;
}

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
    if (const manifest::Partition* uplink = manifest.uplink())
        for (const manifest::Partition& partition : manifest.partitions)
            if (partition.is_behind_uplink())
                out.push_back({place(partition.name), place(uplink->name), false});
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
    if (has_wires(manifest, partition) || partition.is_behind_uplink()) {
        out.address = manifest.network.address_of(own);
        out.prefix = manifest.network.prefix;
    }
    for (const plan::WireRequest& wire : wires_of(manifest))
        if (wire.from == own || wire.to == own) {
            const std::size_t peer = wire.from == own ? wire.to : wire.from;
            if (manifest.partitions[peer].is_uplink) // behind all peers
                continue;
            out.peers.push_back({manifest.partitions[peer].name, manifest.network.address_of(peer)});
        }
    if (partition.outside)
        add_outside(manifest, partition, out);
    for (const manifest::NetworkRule& rule : manifest.network.allow) {
        const bool inbound = rule.to.value == partition.name;
        if (rule.to_outside() || (!inbound && rule.from.value != partition.name))
            continue;
        const auto peer = std::ranges::find(out.peers, inbound ? rule.from.value : rule.to.value,
                                            &StartupNetwork::Peer::name);
        for (const caisson_rule& entry :
             entries_of(rule, static_cast<std::size_t>(peer - out.peers.begin()), inbound))
            out.rules.push_back(entry);
    }
    return out;
}

} // namespace build
