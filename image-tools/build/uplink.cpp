// SPDX-License-Identifier: Apache-2.0
// image-tools/build/uplink.cpp - see uplink.hpp.
#include "image-tools/build/uplink.hpp"

#include "image-tools/build/network.hpp"
#include "image-tools/build/record.hpp"
#include "image-tools/diagnostic/diagnostic.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/uplink.h"

#include <algorithm>

namespace build {
namespace {

// The container's own rules about the outside; what it is told of others is not the uplink's affair.
std::vector<caisson_uplink_rule> rules_of(const manifest::Manifest& manifest,
                                          const manifest::Partition& container) {
    std::vector<caisson_uplink_rule> out;
    std::uint16_t limits = 0;
    for (const OutsideRule& one : outside_rules(manifest, container)) {
        if (one.rule.rate != 0)
            ++limits;
        for (const caisson_rule& entry : entries_of(one.rule, 0, one.inbound)) {
            caisson_uplink_rule rule{};
            rule.first_port = entry.first_port;
            rule.last_port = entry.last_port;
            rule.inbound = entry.inbound;
            rule.protocol = entry.protocol;
            rule.network = entry.network;
            rule.mask = entry.mask;
            rule.limit = one.rule.rate != 0 ? limits : std::uint16_t{0}; // its ports and networks share it
            rule.rate = one.rule.rate;
            out.push_back(rule);
        }
    }
    return out;
}

} // namespace

std::vector<std::uint8_t> encode_uplink(const manifest::Manifest& manifest) {
    const manifest::Outside& outside = *manifest.uplink()->outside;
    Record<caisson_uplink> record;
    caisson_uplink head{};
    head.magic = CAISSON_UPLINK_MAGIC;
    head.address = manifest.network.uplink_address();
    head.prefix = manifest.network.prefix;
    head.outside = outside.leased ? CAISSON_OUTSIDE_LEASED : CAISSON_OUTSIDE_STATIC;
    head.outside_address = outside.address;
    head.outside_prefix = outside.prefix;
    head.gateway = outside.gateway ? outside.gateway->value : 0;
    std::ranges::copy(outside.name_servers, head.name_servers);
    std::vector<caisson_uplink_container> containers;
    std::vector<caisson_uplink_rule> rules;
    std::vector<caisson_uplink_published> published;
    for (std::size_t i = 0; i < manifest.partitions.size(); ++i) {
        const manifest::Partition& container = manifest.partitions[i];
        if (!container.is_behind_uplink())
            continue;
        const auto own = rules_of(manifest, container);
        const auto place = static_cast<std::uint8_t>(containers.size());
        containers.push_back({record.string(container.name), manifest.network.address_of(i),
                              static_cast<std::uint32_t>(containers.size()),
                              static_cast<std::uint32_t>(own.size())});
        rules.insert(rules.end(), own.begin(), own.end());
        for (const manifest::PublishedPort& port : container.published)
            published.push_back({port.outside, port.inside, place, protocol_of(port.udp), 0});
    }
    head.container_count = static_cast<std::uint32_t>(containers.size());
    head.containers = record.array(containers);
    head.rule_count = static_cast<std::uint32_t>(rules.size());
    head.rules = record.array(rules);
    head.published_count = static_cast<std::uint32_t>(published.size());
    head.published = record.array(published);
    std::vector<std::uint8_t> bytes = record.finish(head);
    if (bytes.size() > CAISSON_STARTUP_MAX)
        throw diagnostic::fail("E0802", "the rules of the uplink take " + std::to_string(bytes.size()) +
                                            " bytes; there is room for " +
                                            std::to_string(CAISSON_STARTUP_MAX))
            .help("write fewer rules to the outside, with ranges of ports and larger networks");
    return bytes;
}

} // namespace build
