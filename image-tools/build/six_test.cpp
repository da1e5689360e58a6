// SPDX-License-Identifier: Apache-2.0
// image-tools/build/six_test.cpp - what a container's record says of IPv6 outside.
#include "image-tools/build/network.hpp"
#include "image-tools/build/startup.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace {

using Bytes = std::vector<std::uint8_t>;
constexpr std::uint64_t documentation = 0x2001'0DB8'0000'0000;

template <typename T> T at(const Bytes& bytes, std::size_t offset) {
    T out{};
    EXPECT_LE(offset + sizeof out, bytes.size());
    if (offset + sizeof out <= bytes.size())
        std::memcpy(&out, bytes.data() + offset, sizeof out);
    return out;
}
net::Address6 address(const unsigned char (&bytes)[16]) {
    return net::read_address6(std::as_bytes(std::span{bytes}));
}

build::StartupNetwork network(const std::string& keys, const std::string& rules = "[]") {
    const manifest::Manifest manifest = manifest::parse(
        "f.yaml",
        "apiVersion: caisson/v1\nname: t\npartitions:\n  web: {image: \"oci:x\", memory: 16MiB, " + keys +
            "}\nnetwork: {allow: " + rules + "}\n",
        "/dir");
    return build::network_of(manifest, manifest.partitions[0]);
}
Bytes record(const build::StartupNetwork& of) {
    build::Startup startup;
    startup.arguments = {"x"};
    startup.network = of;
    return build::encode(startup, "web");
}

TEST(Six, APublishedPortAndARuleWithoutNetworksAreOfBothFamilies) {
    const auto of =
        network("ports: [\"8080:80/tcp\"]", "[{from: web, to: outside, ports: [53/udp, 443-444/tcp]}]");
    EXPECT_EQ(of.rules.size(), 3u);
    ASSERT_EQ(of.rules6.size(), 3u);
    EXPECT_EQ(of.rules6[0].inbound, 1);
    EXPECT_EQ(of.rules6[0].protocol, 6);
    EXPECT_EQ(of.rules6[0].first_port, 80);
    EXPECT_EQ(of.rules6[0].last_port, 80);
    EXPECT_EQ(of.rules6[0].prefix, 0);
    EXPECT_EQ(of.rules6[2].inbound, 0);
    EXPECT_EQ(of.rules6[2].first_port, 443);
    EXPECT_EQ(of.rules6[2].last_port, 444);
    EXPECT_TRUE(network("ports: [80], address6: none").rules6.empty());
}

TEST(Six, ANetworkIsOfOneFamily) {
    const auto six = network("ports: [80]", "[{from: web, to: outside, cidr: [\"2001:db8::/32\"]}]");
    ASSERT_EQ(six.rules.size(), 1u) << "the published port alone: no rule of IPv4 comes of a network of IPv6";
    ASSERT_EQ(six.rules6.size(), 2u);
    EXPECT_EQ(six.rules6[1].prefix, 32);
    EXPECT_EQ(address(six.rules6[1].network), (net::Address6{documentation, 0}));
    EXPECT_EQ(six.rules6[1].protocol, 0);
    EXPECT_EQ(six.rules6[1].last_port, 0xFFFF);
    const auto four = network("ports: [80]", "[{from: web, to: outside, cidr: [192.0.2.0/24]}]");
    EXPECT_EQ(four.rules.size(), 2u);
    EXPECT_EQ(four.rules6.size(), 1u);
    EXPECT_EQ(network("ports: [80], timeServers: [192.0.2.7]").rules6.size(), 1u);
}

TEST(Six, TheRecordSaysIt) {
    const Bytes written =
        record(network("address6: \"2001:db8::10/64\", gateway6: \"fe80::1\", dns: [192.0.2.3, "
                       "\"2001:db8::53\"], ports: [80]"));
    const auto head = at<caisson_startup>(written, 0);
    ASSERT_NE(head.outside6, 0u);
    const auto six = at<caisson_outside6>(written, head.outside6);
    EXPECT_EQ(six.way, CAISSON_OUTSIDE6_WRITTEN);
    EXPECT_EQ(address(six.address), (net::Address6{documentation, 0x10}));
    EXPECT_EQ(address(six.gateway), (net::Address6{0xFE80ull << 48, 1}));
    EXPECT_EQ(head.name_servers[0], 0xC0000203u);
    EXPECT_EQ(head.name_servers[1], 0u);
    EXPECT_EQ(address(six.name_servers[0]), net::Address6{});
    EXPECT_EQ(address(six.name_servers[1]), (net::Address6{documentation, 0x53}));
    ASSERT_EQ(six.rule_count, 1u);
    EXPECT_EQ(at<caisson_rule6>(written, six.rules).first_port, 80);
    const Bytes advertised = record(network("ports: [80]"));
    EXPECT_EQ(at<caisson_outside6>(advertised, at<caisson_startup>(advertised, 0).outside6).way,
              CAISSON_OUTSIDE6_ADVERTISED);
    EXPECT_EQ(at<caisson_startup>(record(network("ports: [80], address6: none")), 0).outside6, 0u);
}

} // namespace
