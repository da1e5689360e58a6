// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/six_test.cpp - IPv6 in a manifest: a card's address, routers, name servers, networks of rules.
#include "image-tools/manifest/manifest_test_support.hpp"
#include "image-tools/manifest/outside.hpp"

namespace {

using manifest::Manifest;
using manifest_test::expect_refused;
using manifest_test::head;
using manifest_test::parse;
using Way = manifest::Outside::Way6;

constexpr std::uint64_t documentation = 0x2001'0DB8'0000'0000;

// A container with a card in line 4, rules from line 6 on.
std::string with(const std::string& keys, const std::string& rules = "[]") {
    return head + "partitions:\n  web: {image: \"oci:x\", memory: 16MiB, " + keys +
           "}\nnetwork:\n  allow: " + rules + "\n";
}

TEST(Six, IsSpokenByACardWhereItIsNotSaidOtherwise) {
    for (const char* keys : {"ports: [80]", "address: 192.0.2.10/24", "ports: [80], address6: auto"})
        EXPECT_EQ(parse(with(keys)).partitions[0].outside->way6, Way::advertised) << keys;
    EXPECT_EQ(parse(with("ports: [80], address6: none")).partitions[0].outside->way6, Way::none);
    const Manifest m =
        parse(with("address6: \"2001:db8::10/64\", gateway6: \"fe80::1\", dns: [\"2001:db8::53\", "
                   "192.0.2.3]"));
    const manifest::Outside& outside = m.partitions[0].outside.value();
    EXPECT_EQ(outside.way6, Way::written);
    EXPECT_EQ(outside.address6, (net::Address6{documentation, 0x10}));
    EXPECT_EQ(outside.gateway6.value().value, (net::Address6{0xFE80ull << 48, 1}));
    EXPECT_EQ(outside.name_servers, (std::vector<std::uint32_t>{0, 0xC0000203}));
    EXPECT_EQ(outside.name_servers6, (std::vector<net::Address6>{{documentation, 0x53}, {}}));
    EXPECT_TRUE(outside.leased) << "of IPv4";
    EXPECT_TRUE(m.partitions[0].has_card());
    EXPECT_NO_THROW(
        static_cast<void>(parse(with("address6: \"2001:db8::10/64\", gateway6: \"2001:db8::1\""))));
}

TEST(Six, NetworksOfRulesAreOfEitherFamily) {
    const Manifest m =
        parse(with("ports: [80]", "[{from: web, to: outside, cidr: [\"2001:db8::/32\", 192.0.2.0/24, "
                                  "\"2001:db8::7\", \"::/0\"]}]"));
    const auto& ranges = m.network.allow.at(0).ranges;
    ASSERT_EQ(ranges.size(), 4u);
    EXPECT_TRUE(ranges[0].v6);
    EXPECT_EQ(ranges[0].network6, (net::Address6{documentation, 0}));
    EXPECT_EQ(ranges[0].prefix6, 32u);
    EXPECT_FALSE(ranges[1].v6);
    EXPECT_EQ(ranges[2].prefix6, 128u);
    EXPECT_EQ(ranges[3].prefix6, 0u);
    EXPECT_EQ(manifest::ipv6_text(ranges[2].network6), "2001:db8::7");
    for (const char* range : {"2001:db8::1/32", "2001:db8::/129", "2001:db8::/", "2001:db8/32", "::g"})
        expect_refused(
            with("ports: [80]", "[{from: web, to: outside, cidr: ['" + std::string(range) + "']}]"), "E0309",
            6, "is not a network");
}

TEST(Six, WhatACardNeeds) {
    const auto refused = [](const std::string& keys, const char* text) {
        expect_refused(with(keys), "E0309", 4, text);
    };
    for (const char* address : {"2001:db8::10", "2001:db8::10/48", "fe80::1/64", "ff02::1/64", "::1/64",
                                "::ffff:192.0.2.1/64", "192.0.2.10/24", "dhcp", "2001:db8::10/64 "})
        refused("address6: '" + std::string(address) + "'", "is not a host's IPv6 address");
    refused("address6: auto, gateway6: \"fe80::1\"", "a gateway6 goes with an address6");
    refused("address: dhcp, gateway6: \"fe80::1\"", "a gateway6 goes with an address6");
    refused("address6: \"2001:db8::10/64\", gateway6: \"2001:db8:1::1\"", "is no neighbour");
    refused("address6: \"2001:db8::10/64\", gateway6: \"2001:db8::10\"", "is no neighbour");
    refused("address6: \"2001:db8::10/64\", gateway6: 192.0.2.1", "is not an IPv6 address");
    refused("dns: [\"ff02::1\"]", "is not an IPv6 address");
    refused("address6: none, dns: [\"2001:db8::53\"]", "speaks IPv4 alone");
    expect_refused(
        with("ports: [80], address6: none", "[{from: web, to: outside, cidr: [\"2001:db8::/32\"]}]"), "E0309",
        6, "reaches no IPv6 network");
    expect_refused(head + "partitions: {own: {kernel: x.elf, memory: 4MiB, address6: auto}}\n", "E0309", 3,
                   "goes with 'image'");
}

TEST(Six, IsNotCarriedByTheUplink) {
    const auto two = [](const std::string& web, const std::string& network) {
        return head + "partitions:\n  web: {image: \"oci:x\", memory: 16MiB, ports: [80]" + web +
               "}\n  db: {image: \"oci:x\", memory: 16MiB, ports: [81]}\nnetwork:\n" + network;
    };
    EXPECT_NO_THROW(static_cast<void>(parse(two(", address6: none", "  uplink: {}\n"))));
    expect_refused(two(", address6: auto", "  uplink: {}\n"), "E0309", 4, "the uplink carries IPv4 alone");
    expect_refused(two(", dns: [\"2001:db8::53\"]", "  uplink: {}\n"), "E0309", 4, "speaks IPv4 alone");
    expect_refused(two("", "  allow: [{from: web, to: outside, cidr: [\"2001:db8::/32\"]}]\n"), "E0309", 7,
                   "reaches no IPv6 network");
    expect_refused(two("", "  uplink: {address6: auto}\n"), "E0302", 7, "address6");
    expect_refused(two("", "  uplink: {dns: [\"2001:db8::53\"]}\n"), "E0309", 7, "speaks IPv4 alone");
    EXPECT_TRUE(parse(two(", address6: \"2001:db8::10/64\"", "  allow: []\n")).partitions[0].has_card());
}

} // namespace
