// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/record_test.hpp - records for tests, as the image tool writes them.
#pragma once

#include "partitions/abi/startup.h"
#include "partitions/uplink/record.hpp"

#include <string>
#include <vector>

namespace uplink::test {

inline constexpr std::uint32_t inside = 0x64404D01, web = 0x64404D02, db = 0x64404D03; // 100.64.77.1 to .3
inline constexpr std::uint32_t own = 0xC000020A, gateway = 0xC0000201, server = 0xC0000235,
                               far_away = 0xC6336407; // 192.0.2.10, .1, .53, 198.51.100.7

struct RecordParts {
    caisson_uplink header{};
    std::vector<caisson_uplink_container> containers;
    std::vector<std::string> names;
    std::vector<caisson_uplink_rule> rules;
    std::vector<caisson_uplink_published> published;

    [[nodiscard]] std::vector<std::byte> bytes() const {
        std::vector<std::byte> out(sizeof(caisson_uplink));
        caisson_uplink h = header;
        const auto add = [&out](const auto& list) {
            const auto at = static_cast<unsigned>(out.size());
            for (const auto& one : list) {
                const auto* from = reinterpret_cast<const std::byte*>(&one);
                out.insert(out.end(), from, from + sizeof(one));
            }
            return at;
        };
        auto named = containers;
        for (std::size_t i = 0; i < named.size() && i < names.size(); ++i) {
            named[i].name = static_cast<unsigned>(out.size());
            for (const char c : names[i])
                out.push_back(static_cast<std::byte>(c));
            out.push_back(std::byte{0});
        }
        out.resize((out.size() + 7) & ~std::size_t{7});
        h.container_count = static_cast<unsigned>(containers.size());
        h.containers = add(named);
        h.rule_count = static_cast<unsigned>(rules.size());
        h.rules = add(rules);
        h.published_count = static_cast<unsigned>(published.size());
        h.published = add(published);
        h.total_bytes = static_cast<unsigned>(out.size());
        std::memcpy(out.data(), &h, sizeof(h));
        return out;
    }
};

// Two containers: `web` begins HTTPS to 198.51.100.0/24 and asks for names, and its port 80 is 8080 outside; `db` begins what it wants
// over TCP, 100,000 bytes a second.
inline RecordParts two_containers(bool leased = false) {
    RecordParts out;
    out.header.magic = CAISSON_UPLINK_MAGIC;
    out.header.address = inside;
    out.header.prefix = 24;
    out.header.outside = leased ? CAISSON_OUTSIDE_LEASED : CAISSON_OUTSIDE_STATIC;
    if (!leased) {
        out.header.outside_address = own;
        out.header.outside_prefix = 24;
        out.header.gateway = gateway;
        out.header.name_servers[0] = server;
    }
    out.names = {"web", "db"};
    out.containers = {{0, web, 0, 3}, {0, db, 1, 1}};
    constexpr unsigned char tcp = 6, udp = 17;
    out.rules = {{443, 443, 0, tcp, 0, 0xC6336400, 0xFFFFFF00, 0},
                 {53, 53, 0, udp, 0, 0, 0, 0},
                 {80, 80, 1, tcp, 0, 0, 0, 0},
                 {0, 0xFFFF, 0, tcp, 1, 0, 0, 100'000}};
    out.published = {{8080, 80, 0, tcp, 0}};
    return out;
}

} // namespace uplink::test
