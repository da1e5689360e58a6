// SPDX-License-Identifier: Apache-2.0
#include "image-tools/cli/plan_network.hpp"

#include "image-tools/cli/table.hpp"
#include "image-tools/manifest/outside.hpp"
#include "image-tools/manifest/values.hpp"

#include <algorithm>
#include <bit>
#include <fmt/format.h>

namespace cli {
namespace {

std::string range_text(const manifest::AddressRange& range) {
    if (range.v6)
        return fmt::format("{}/{}", manifest::ipv6_text(range.network6), range.prefix6);
    return fmt::format("{}/{}", address_text(range.network), std::popcount(range.mask));
}

const char* protocol_text(bool udp) {
    return udp ? "udp" : "tcp";
}

// "443/tcp 8000-8100/tcp", and of the outside "to 203.0.113.0/24".
std::string ports_text(const manifest::NetworkRule& rule) {
    std::string out;
    for (const manifest::Ports& one : rule.ports)
        out += (out.empty() ? "" : " ") +
               (one.first == one.last ? fmt::format("{}/{}", one.first, protocol_text(one.udp))
                                      : fmt::format("{}-{}/{}", one.first, one.last, protocol_text(one.udp)));
    if (rule.ports.empty())
        out = "everything";
    for (std::size_t i = 0; i < rule.ranges.size(); ++i)
        out += (i == 0 ? " to " : " ") + range_text(rule.ranges[i]);
    return out;
}

std::string way_text(const manifest::Partition& partition) {
    return partition.is_behind_uplink() ? "uplink" : "its card";
}

} // namespace

std::string address_text(std::uint32_t address) {
    return fmt::format("{}.{}.{}.{}", address >> 24, address >> 16 & 255, address >> 8 & 255, address & 255);
}

std::string reach_text(const manifest::Manifest& manifest) {
    const std::string outside(manifest::NetworkRule::outside_name);
    std::vector<Row> rows{{"FROM", "TO", "PORTS", "BY", "RATE"}};
    for (const manifest::NetworkRule& rule : manifest.network.allow) {
        const auto from = std::ranges::find(manifest.partitions, rule.from.value, &manifest::Partition::name);
        const std::string by = rule.one_way                        ? "one-way wire"
                               : !rule.to_outside()                ? "wire"
                               : from == manifest.partitions.end() ? "-"
                                                                   : way_text(*from);
        rows.push_back({rule.from.value, rule.to.value, ports_text(rule), by,
                        rule.rate == 0 ? "-" : manifest::rate_text(rule.rate)});
    }
    for (const manifest::Partition& partition : manifest.partitions)
        for (const manifest::PublishedPort& port : partition.published)
            rows.push_back(
                {outside, partition.name,
                 port.outside == port.inside
                     ? fmt::format("{}/{}", port.inside, protocol_text(port.udp))
                     : fmt::format("{} as {}/{}", port.outside, port.inside, protocol_text(port.udp)),
                 way_text(partition), "-"});
    return rows.size() == 1 ? std::string() : table_text(rows);
}

Json network_json(const manifest::Manifest& manifest) {
    const manifest::Network& network = manifest.network;
    Json rules = Json::array();
    for (const manifest::NetworkRule& rule : network.allow) {
        Json ports = Json::array(), ranges = Json::array();
        for (const manifest::Ports& one : rule.ports)
            ports.push_back({{"protocol", protocol_text(one.udp)}, {"first", one.first}, {"last", one.last}});
        for (const manifest::AddressRange& range : rule.ranges)
            ranges.push_back(range_text(range));
        rules.push_back({{"from", rule.from.value},
                         {"to", rule.to.value},
                         {"oneWay", rule.one_way},
                         {"leakAccepted", rule.leak_accepted},
                         {"ports", ports},
                         {"ranges", ranges},
                         {"rate", rule.rate}});
    }
    Json uplink;
    if (const manifest::Partition* const partition = manifest.uplink()) {
        Json containers = Json::array();
        for (const manifest::Partition& one : manifest.partitions)
            if (one.is_behind_uplink())
                containers.push_back(one.name);
        uplink = {{"partition", partition->name},
                  {"inside", address_text(network.uplink_address())},
                  {"outside", outside_json(*partition)},
                  {"containers", containers}};
    }
    return {{"subnet", fmt::format("{}/{}", address_text(network.subnet), network.prefix)},
            {"rules", rules},
            {"uplink", uplink}};
}

Json outside_json(const manifest::Partition& partition) {
    if (!partition.outside)
        return {};
    const manifest::Outside& outside = *partition.outside;
    return outside.by_uplink ? Json("uplink")
           : outside.leased  ? Json("dhcp")
                             : Json(fmt::format("{}/{}", address_text(outside.address), outside.prefix));
}

Json outside6_json(const manifest::Partition& partition) {
    using Way = manifest::Outside::Way6;
    if (!partition.has_card() || partition.is_uplink || partition.outside->way6 == Way::none)
        return {};
    const manifest::Outside& outside = *partition.outside;
    return outside.way6 == Way::advertised ? Json("auto")
                                           : Json(manifest::ipv6_text(outside.address6) + "/64");
}

} // namespace cli
