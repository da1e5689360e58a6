// SPDX-License-Identifier: Apache-2.0
#include "image-tools/build/network.hpp"
#include "image-tools/build/uplink.hpp"
#include "partitions/abi/uplink.h"

#include <gtest/gtest.h>

#include <cstring>

namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T> T at(const Bytes& bytes, std::size_t offset) {
    T out{};
    EXPECT_LE(offset + sizeof out, bytes.size());
    if (offset + sizeof out <= bytes.size())
        std::memcpy(&out, bytes.data() + offset, sizeof out);
    return out;
}
template <typename T> T item(const Bytes& bytes, std::uint32_t array, std::uint32_t index) {
    EXPECT_EQ(array % alignof(T), 0u);
    return at<T>(bytes, array + index * sizeof(T));
}

// web and cache are behind an uplink, gw has a card, db only a wire.
manifest::Manifest sample(const std::string& uplink) {
    return manifest::parse("f.yaml",
                           "apiVersion: caisson/v1\nname: t\npartitions:\n"
                           "  web: {image: \"oci:x\", memory: 16MiB, ports: [\"8080:80\", 53/udp]}\n"
                           "  db: {image: \"oci:x\", memory: 16MiB}\n"
                           "  gw: {image: \"oci:x\", memory: 16MiB, address: dhcp, ports: [\"9000:90\"]}\n"
                           "  cache: {image: \"oci:x\", memory: 16MiB, dns: [192.0.2.9], timeServers: "
                           "[192.0.2.7]}\n"
                           "network:\n  uplink: " +
                               uplink +
                               "\n  allow:\n"
                               "    - {from: web, to: db, ports: [6379/tcp]}\n"
                               "    - {from: cache, to: outside, cidr: [203.0.113.0/24], ports: [443/tcp, "
                               "80-81/tcp], rate: 8Mbit}\n",
                           "/dir");
}

TEST(UplinkRecord, NamesContainersTheirRulesAndPorts) {
    const Bytes bytes = build::encode_uplink(sample("{}"));
    const auto head = at<caisson_uplink>(bytes, 0);
    EXPECT_EQ(head.magic, CAISSON_UPLINK_MAGIC);
    EXPECT_EQ(head.total_bytes, bytes.size());
    EXPECT_EQ(head.address, 0x64404D01u);
    EXPECT_EQ(head.prefix, 24u);
    EXPECT_EQ(head.outside, CAISSON_OUTSIDE_LEASED);
    ASSERT_EQ(head.container_count, 2u);
    const auto web = item<caisson_uplink_container>(bytes, head.containers, 0);
    const auto cache = item<caisson_uplink_container>(bytes, head.containers, 1);
    ASSERT_LT(web.name + 3u, bytes.size());
    EXPECT_EQ(std::string(bytes.begin() + web.name, bytes.begin() + web.name + 4), std::string("web", 4));
    EXPECT_EQ(web.address, 0x64404D02u);
    EXPECT_EQ(cache.address, 0x64404D05u);
    EXPECT_EQ(web.link, 0u);
    EXPECT_EQ(cache.link, 1u);
    EXPECT_EQ(web.rule_count, 2u);
    EXPECT_EQ(cache.rule_count, 3u);
    ASSERT_EQ(head.rule_count, 5u);
    const auto published = item<caisson_uplink_rule>(bytes, head.rules, 0);
    EXPECT_EQ(published.inbound, 1);
    EXPECT_EQ(published.first_port, 80);
    EXPECT_EQ(published.last_port, 80);
    EXPECT_EQ(published.protocol, 6);
    EXPECT_EQ(published.mask, 0u);
    EXPECT_EQ(item<caisson_uplink_rule>(bytes, head.rules, 1).protocol, 17);
    const auto time = item<caisson_uplink_rule>(bytes, head.rules, 2);
    EXPECT_EQ(time.network, 0xC0000207u);
    EXPECT_EQ(time.first_port, 123);
    EXPECT_EQ(time.rate, 0u);
    const auto web_pages = item<caisson_uplink_rule>(bytes, head.rules, 4);
    EXPECT_EQ(web_pages.inbound, 0);
    EXPECT_EQ(web_pages.first_port, 80);
    EXPECT_EQ(web_pages.last_port, 81);
    EXPECT_EQ(web_pages.network, 0xCB007100u);
    EXPECT_EQ(web_pages.mask, 0xFFFFFF00u);
    EXPECT_EQ(web_pages.rate, 1'000'000u);
    for (std::uint32_t i = 3; i < head.rule_count; ++i)
        EXPECT_EQ(item<caisson_uplink_rule>(bytes, head.rules, i).limit, 1) << i; // one, for both ports
    ASSERT_EQ(head.published_count, 2u);
    const auto port = item<caisson_uplink_published>(bytes, head.published, 0);
    EXPECT_EQ(port.outside, 8080);
    EXPECT_EQ(port.inside, 80);
    EXPECT_EQ(port.container, 0);
}

TEST(UplinkRecord, SaysWhereTheCardIs) {
    const Bytes bytes =
        build::encode_uplink(sample("{address: 192.0.2.10/24, gateway: 192.0.2.1, dns: [192.0.2.2]}"));
    const auto head = at<caisson_uplink>(bytes, 0);
    EXPECT_EQ(head.outside, CAISSON_OUTSIDE_STATIC);
    EXPECT_EQ(head.outside_address, 0xC000020Au);
    EXPECT_EQ(head.outside_prefix, 24u);
    EXPECT_EQ(head.gateway, 0xC0000201u);
    EXPECT_EQ(head.name_servers[0], 0xC0000202u);
    EXPECT_EQ(head.name_servers[1], 0u);
}

TEST(UplinkRecord, TooManyRulesAreALimit) {
    manifest::Manifest manifest = sample("{}");
    manifest::NetworkRule& rule = manifest.network.allow.at(1);
    rule.ranges.assign(1100, rule.ranges.at(0));
    try {
        static_cast<void>(build::encode_uplink(manifest));
        FAIL();
    } catch (const diagnostic::Failure& failure) {
        EXPECT_EQ(failure.diagnostic().code, "E0802");
    }
}

TEST(UplinkNetwork, WiresComeBehindThoseOfRules) {
    const manifest::Manifest manifest = sample("{}");
    const auto wires = build::wires_of(manifest);
    ASSERT_EQ(wires.size(), 3u);
    EXPECT_EQ(wires[0].to, 1u);
    EXPECT_EQ(wires[1].from, 0u);
    EXPECT_EQ(wires[1].to, 4u);
    EXPECT_EQ(wires[2].from, 3u);
    EXPECT_EQ(wires[2].to, 4u);
}

TEST(UplinkNetwork, AContainerIsToldItsWayOut) {
    const manifest::Manifest manifest = sample("{}");
    const build::StartupNetwork web = build::network_of(manifest, manifest.partitions[0]);
    EXPECT_EQ(web.address, 0x64404D02u);
    EXPECT_EQ(web.prefix, 24u);
    ASSERT_EQ(web.peers.size(), 1u);
    EXPECT_EQ(web.peers[0].name, "db");
    ASSERT_TRUE(web.outside);
    EXPECT_TRUE(web.outside->by_uplink);
    EXPECT_EQ(web.outside_link, 1u);
    EXPECT_EQ(web.outside->gateway.value().value, 0x64404D01u);
    EXPECT_EQ(web.outside->name_servers, (std::vector<std::uint32_t>{0x64404D01}));
    EXPECT_TRUE(web.published.empty()); // the uplink gives them their numbers
    ASSERT_EQ(web.rules.size(), 3u);
    EXPECT_EQ(web.rules[0].peer, 1);
    EXPECT_EQ(web.rules[0].inbound, 1);
    EXPECT_EQ(web.rules[0].first_port, 80);
    const build::StartupNetwork cache = build::network_of(manifest, manifest.partitions[3]);
    EXPECT_TRUE(cache.peers.empty());
    EXPECT_EQ(cache.outside_link, 0u);
    EXPECT_EQ(cache.outside->name_servers, (std::vector<std::uint32_t>{0xC0000209}));
    // Who has a card of its own is told what it always was.
    const build::StartupNetwork gw = build::network_of(manifest, manifest.partitions[2]);
    EXPECT_FALSE(gw.outside->by_uplink);
    EXPECT_EQ(gw.prefix, 0u);
    ASSERT_EQ(gw.published.size(), 1u);
    EXPECT_EQ(gw.published[0].outside, 9000);
}

} // namespace
