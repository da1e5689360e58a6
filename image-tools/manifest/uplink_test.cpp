// SPDX-License-Identifier: Apache-2.0
#include "image-tools/manifest/manifest_test_support.hpp"
#include "image-tools/manifest/values.hpp"

#include <array>

namespace {

using manifest::Manifest;
using manifest_test::expect_refused;
using manifest_test::head;
using manifest_test::parse;

// Two containers from line 4 on, which get these keys; `network` from line 7 on.
std::string two(const std::string& web, const std::string& db, const std::string& network = "") {
    return head + "partitions:\n  web: {image: \"oci:x\", memory: 16MiB" + web +
           "}\n  db: {image: \"oci:x\", memory: 16MiB" + db + "}\n  own: {kernel: k.elf, memory: 4MiB}\n" +
           (network.empty() ? "" : "network:\n" + network);
}
const std::string port_80 = ", ports: [\"8080:80\"]", port_81 = ", ports: [81]";

TEST(Uplink, SeveralShareACard) {
    const Manifest m = parse(two(port_80, port_81));
    ASSERT_EQ(m.partitions.size(), 4u);
    const manifest::Partition& uplink = m.partitions[3];
    EXPECT_EQ(m.uplink(), &uplink);
    EXPECT_EQ(uplink.name, "uplink");
    EXPECT_TRUE(uplink.has_card());
    EXPECT_TRUE(uplink.outside->leased);
    ASSERT_EQ(uplink.devices.size(), 1u);
    EXPECT_TRUE(uplink.devices[0].any_card);
    EXPECT_EQ(uplink.cpus, 1u);
    EXPECT_EQ(uplink.memory, 16u << 20);
    EXPECT_EQ(uplink.behaviour.restart, plan::Restart::on_failure);
    EXPECT_TRUE(uplink.behaviour.has(plan::flag_service));
    for (const std::size_t i : {0u, 1u}) {
        EXPECT_TRUE(m.partitions[i].is_behind_uplink());
        EXPECT_TRUE(m.partitions[i].devices.empty());
        EXPECT_FALSE(m.partitions[i].behaviour.has(plan::flag_service));
    }
    EXPECT_FALSE(m.partitions[2].outside);
    // A rule is a need like a port.
    EXPECT_NE(parse(two(port_80, "", "  allow: [{from: db, to: outside}]\n")).uplink(), nullptr);
}

TEST(Uplink, OneAloneOwnsItsCard) {
    for (const char* other : {"", ", devices: [auto]", ", address: 192.0.2.10/24", ", address: dhcp"}) {
        const Manifest m = parse(two(port_80, other));
        EXPECT_EQ(m.uplink(), nullptr) << other;
        EXPECT_TRUE(m.partitions[0].has_card());
    }
    // Where it is written, it takes even one; who has a card keeps it.
    const Manifest m = parse(two(port_80, ", address: dhcp", "  uplink: {}\n"));
    ASSERT_NE(m.uplink(), nullptr);
    EXPECT_TRUE(m.partitions[0].is_behind_uplink());
    EXPECT_TRUE(m.partitions[1].has_card());
    EXPECT_EQ(m.partitions[1].devices.at(0).place, 0u);
    EXPECT_EQ(m.uplink()->devices.at(0).place, 1u);
}

TEST(Uplink, IsSetUp) {
    const Manifest m = parse(two(port_80, port_81,
                                 "  subnet: 10.7.0.0/24\n  uplink: {device: \"pci:8086:10d3#1\", address: "
                                 "192.0.2.10/24, gateway: 192.0.2.1, dns: [192.0.2.3], cpus: 2, memory: "
                                 "24MiB}\n"));
    const manifest::Partition& uplink = *m.uplink();
    EXPECT_EQ(uplink.devices.at(0).device, 0x10d3);
    EXPECT_EQ(uplink.devices[0].place, 1u);
    EXPECT_FALSE(uplink.outside->leased);
    EXPECT_EQ(uplink.outside->address, 0xC000020Au);
    EXPECT_EQ(uplink.outside->gateway.value().value, 0xC0000201u);
    EXPECT_EQ(uplink.outside->name_servers, (std::vector<std::uint32_t>{0xC0000203}));
    EXPECT_EQ(uplink.cpus, 2u);
    EXPECT_EQ(uplink.memory, 24u << 20);
    EXPECT_EQ(m.network.uplink_address(), 0x0A070001u);
}

TEST(Uplink, WhatItCannotBe) {
    const auto refused = [](const std::string& uplink, const char* code, const char* text) {
        expect_refused(two(port_80, port_81, "  uplink: " + uplink + "\n"), code, 8, text);
    };
    refused("{devices: [auto]}", "E0302", "did you mean 'device'?");
    refused("{device: eth0}", "E0309", "does not name a device");
    refused("{ports: [80]}", "E0302", "'ports'");
    refused("{address: 192.0.2.10}", "E0309", "is not a host's address");
    refused("{gateway: 192.0.2.1}", "E0309", "a gateway goes with an address");
    refused("{address: 192.0.2.10/24, gateway: 192.0.3.1}", "E0309", "is no neighbour");
    refused("{address: 100.64.77.9/24}", "E0309", "overlaps that of the wires");
    refused("{cpus: 0}", "E0309", "cpus");
    refused("{memory: 16MB}", "E0309", "two ways");
    refused("{memory: 100KiB}", "E0309", "multiple of 64 KiB");
    refused("yes", "E0309", "uplink");
    expect_refused(head + "partitions: {uplink: {kernel: k.elf, memory: 4MiB}}\n", "E0309", 3,
                   "'uplink' cannot be a partition's name");
    expect_refused(two("", "", "  uplink: {}\n"), "E0309", 8, "nobody needs the uplink");
    expect_refused(two(", address: dhcp", "", "  uplink: {}\n"), "E0309", 8, "nobody needs the uplink");
    expect_refused(two(port_80, ", ports: [\"8080:81\"]"), "E0309", 5,
                   "'db' and 'web' both publish the uplink's port 8080");
    EXPECT_NE(parse(two(port_80, ", ports: [\"8080:81/udp\"]")).uplink(), nullptr);
    expect_refused(two(port_80 + ", gateway: 192.0.2.1", port_81), "E0309", 4,
                   "a gateway goes with an address");
    expect_refused(two(port_80, port_81, "  allow: [{from: web, to: uplink}]\n"), "E0309", 8,
                   "there is no partition 'uplink'");
    std::string many = head + "partitions:\n";
    for (int i = 0; i < 33; ++i)
        many += "  c" + std::to_string(i) + ": {image: \"oci:x\", memory: 16MiB, ports: [" +
                std::to_string(1000 + i) + "]}\n";
    expect_refused(many, "E0309", 36, "33 containers need the outside; an uplink has room for 32");
}

TEST(Uplink, KeepsRates) {
    const auto rule = [](const std::string& keys) {
        return "  allow: [{from: web, to: outside, " + keys + "}]\n";
    };
    EXPECT_EQ(parse(two("", port_81, rule("rate: 10Mbit"))).network.allow[0].rate, 1'250'000u);
    expect_refused(two("", "", rule("rate: 10Mbit")), "E0309", 8, "nobody keeps the rate");
    expect_refused(two("", "", "  allow: [{from: web, to: db, rate: 10Mbit}]\n"), "E0309", 8,
                   "a rate is of the outside");
    expect_refused(two("", port_81, rule("rate: 10MB")), "E0309", 8, "is not a rate");
    struct Rate {
        const char* text;
        std::uint64_t bytes;
    };
    for (const Rate& one : {Rate{"8kbit", 1000}, Rate{"1Gbit", 125'000'000}, Rate{"100Gbit", 12'500'000'000},
                            Rate{"1500kbit", 187'500}}) {
        EXPECT_EQ(std::get<std::uint64_t>(manifest::parse_rate(one.text)), one.bytes);
        EXPECT_EQ(manifest::rate_text(one.bytes), one.text);
    }
    for (const char* text : {"7kbit", "101Gbit", "10", "Mbit", "-1Mbit", "10mbit", "99999999999999999999Gbit",
                             "10Mbit/s", "1.5Mbit"})
        EXPECT_TRUE(std::holds_alternative<manifest::ValueError>(manifest::parse_rate(text))) << text;
}

TEST(Uplink, TestsKnockAtContainersBehindIt) {
    const std::string tests =
        "tests: [{partition: web, http: {port: 80}}, {partition: uplink, log: lease}]\n";
    EXPECT_EQ(parse(two(port_80, port_81) + tests).tests.size(), 2u);
    const std::string alone = head + "partitions:\n  web: {image: \"oci:x\", memory: 16MiB, ports: [80]}\n"
                                     "network: {uplink: {}}\ntests: [{http: {port: 80}}]\n";
    EXPECT_EQ(parse(alone).tests.at(0).partition.value, "web");
}

} // namespace
