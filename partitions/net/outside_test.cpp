// SPDX-License-Identifier: Apache-2.0
// partitions/net/outside_test.cpp - the outside as a peer, ports that have another number there, sums.
#include "partitions/net/firewall.hpp"
#include "partitions/net/published.hpp"
#include "partitions/net/words_test.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <set>
#include <vector>

namespace {

using net::Verdict;
using ::net::test::Bytes;

constexpr std::uint32_t inner = 0x64404D02, own = 0xC000020A, client = 0xCB007105, server = 0xC6336407;
constexpr std::uint64_t second = 1'000'000'000;

using ::net::test::put;
Bytes ip(std::uint8_t protocol, std::uint32_t source, std::uint32_t target, std::size_t payload) {
    Bytes out(net::ip_header + payload);
    put(out, 0, 0x45, 1);
    put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
    put(out, 8, 64, 1);
    put(out, 9, protocol, 1);
    put(out, 12, source, 4);
    put(out, 16, target, 4);
    return out;
}
Bytes tcp(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to,
          std::uint8_t flags) {
    Bytes out = ip(net::protocol::tcp, source, target, net::tcp_header + 5);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 32, 0x50, 1);
    put(out, 33, flags, 1);
    return out;
}
Bytes udp(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to) {
    Bytes out = ip(net::protocol::udp, source, target, net::udp_header + 3);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 24, net::udp_header + 3, 2);
    return out;
}

constexpr std::uint8_t syn = net::tcp_flag::syn, ack = net::tcp_flag::acknowledge, rst = net::tcp_flag::reset;

class Outside : public testing::Test {
protected:
    std::array<net::Peer, 2> peers{
        {{0x64404D03}, {.outside = true, .own = own, .inside = 0x64404D00, .inside_mask = 0xFFFFFF00}}};
    // Port 80 is published; this end may begin TCP to port 443 of 198.51.100.0/24.
    std::array<net::Rule, 2> rules{{{1, true, net::protocol::tcp, 80, 80},
                                    {1, false, net::protocol::tcp, 443, 443, 0, 0xC6336400, 0xFFFFFF00}}};
    std::array<net::Connection, 32> table{};
    net::Firewall wall{inner, peers, rules, table};
    std::uint64_t now = second;

    Verdict in(const Bytes& bytes) {
        net::Packet packet;
        return wall.inbound(1, bytes, now, packet);
    }
    Verdict out(const Bytes& bytes) {
        net::Packet packet;
        return wall.outbound(1, bytes, now, packet);
    }
};

TEST_F(Outside, OnlyWhatIsPublishedIsAdmitted) {
    EXPECT_EQ(in(tcp(client, 5000, own, 80, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 80, client, 5000, syn | ack)), Verdict::pass);
    EXPECT_EQ(in(tcp(client, 5000, own, 81, syn)), Verdict::no_rule);
    EXPECT_EQ(in(udp(client, 5000, own, 80)), Verdict::no_rule);
    EXPECT_EQ(in(tcp(client, 5001, own, 81, ack)), Verdict::no_state);
}

TEST_F(Outside, AnOpenPortMayAnswerASegmentOfNoConnectionWithAReset) {
    EXPECT_EQ(out(tcp(own, 80, client, 5001, rst)), Verdict::no_state)
        << "nobody asked: it could carry anything anywhere";
    EXPECT_EQ(in(tcp(client, 5001, own, 80, ack)), Verdict::pass);
    ASSERT_NE(wall.passed(), nullptr);
    EXPECT_TRUE(wall.passed()->peer_began);
    EXPECT_EQ(out(tcp(own, 80, client, 5001, rst)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 80, client, 5002, rst)), Verdict::no_state) << "who did not ask";
    EXPECT_EQ(out(tcp(own, 80, client + 1, 5001, rst)), Verdict::no_state) << "who did not ask";
    EXPECT_EQ(in(tcp(client, 5003, own, 80, rst | ack)), Verdict::no_state) << "nothing answers a reset";
    EXPECT_EQ(out(tcp(own, 81, client, 5001, rst)), Verdict::no_state) << "a port that is not open";
    EXPECT_EQ(in(udp(client, 5001, own, 80)), Verdict::no_rule);
    EXPECT_EQ(wall.rules()[0].admitted, 0u) << "it began nothing";
}

TEST_F(Outside, EndsWithTheSamePortsAreTwoConnections) {
    EXPECT_EQ(in(tcp(client, 5000, own, 80, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 80, client + 1, 5000, syn | ack)), Verdict::no_state);
    EXPECT_EQ(in(tcp(client + 1, 5000, own, 80, ack)), Verdict::pass);
    EXPECT_EQ(wall.passed()->peer_address, net::mapped(client + 1));
    EXPECT_EQ(in(tcp(client, 5000, own, 80, ack)), Verdict::pass);
}

TEST_F(Outside, NobodyThereHasAnAddressOfOurs) {
    for (const std::uint32_t source : {own, inner, 0x64404D03u, 0x7F000001u, 0xE0000001u, 0xFFFFFFFFu, 0u})
        EXPECT_EQ(in(tcp(source, 5000, own, 80, syn)), Verdict::source) << std::hex << source;
    EXPECT_EQ(in(tcp(client, 5000, inner, 80, syn)), Verdict::target);
    EXPECT_EQ(in(tcp(client, 5000, 0xFFFFFFFF, 80, syn)), Verdict::target);
    EXPECT_EQ(out(tcp(inner, 80, client, 5000, syn)), Verdict::source);
}

TEST_F(Outside, ARuleNamesPartOfIt) {
    EXPECT_TRUE(wall.may_begin(1, net::protocol::tcp, server, 443));
    EXPECT_FALSE(wall.may_begin(1, net::protocol::tcp, client, 443));
    EXPECT_FALSE(wall.may_begin(1, net::protocol::tcp, server, 80));
    EXPECT_EQ(out(tcp(own, 4000, server, 443, syn)), Verdict::pass);
    EXPECT_EQ(in(tcp(server, 443, own, 4000, syn | ack)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 4000, client, 443, syn)), Verdict::no_rule);
}

TEST(PublishedPorts, ExchangeAllPortsOneForOne) {
    const std::array<net::PublishedPort, 4> entries{{{net::protocol::tcp, 8080, 80},
                                                     {net::protocol::tcp, 80, 8081},
                                                     {net::protocol::tcp, 443, 443},
                                                     {net::protocol::udp, 5353, 53}}};
    const net::PublishedPorts ports{entries};
    EXPECT_EQ(ports.inside(net::protocol::tcp, 8080), 80);
    EXPECT_EQ(ports.inside(net::protocol::tcp, 80), 8081);
    EXPECT_EQ(ports.inside(net::protocol::tcp, 8081), 8080); // what is left over
    EXPECT_EQ(ports.inside(net::protocol::tcp, 5353), 5353); // UDP's
    EXPECT_EQ(ports.outside(net::protocol::udp, 53), 5353);
    std::set<std::uint16_t> seen;
    for (unsigned port = 0; port <= 0xFFFF; ++port) {
        const auto number = static_cast<std::uint16_t>(port);
        const std::uint16_t inside = ports.inside(net::protocol::tcp, number);
        seen.insert(inside);
        ASSERT_EQ(ports.outside(net::protocol::tcp, inside), number);
    }
    EXPECT_EQ(seen.size(), 0x10000u);
}

TEST(PublishedPorts, SumsStayRight) {
    const std::array<net::PublishedPort, 2> entries{
        {{net::protocol::tcp, 8080, 80}, {net::protocol::udp, 5353, 53}}};
    const net::PublishedPorts ports{entries};
    Bytes packet = tcp(client, 5000, own, 8080, ack);
    net::make_sums(packet);
    const Bytes before = packet;
    ports.enter(packet);
    EXPECT_EQ(packet[22], std::byte{0});
    EXPECT_EQ(packet[23], std::byte{80});
    EXPECT_EQ(net::sum_payload(packet), 0xFFFFu);
    Bytes datagram = udp(own, 53, client, 700);
    net::make_sums(datagram);
    ports.leave(datagram);
    EXPECT_TRUE(net::sums_hold(datagram));
    EXPECT_EQ(datagram[20], std::byte{5353 >> 8});
    Bytes cut(before.begin(), before.begin() + 30); // less than has a sum
    ports.enter(cut);
    EXPECT_TRUE(std::equal(cut.begin(), cut.end(), before.begin()));
}

TEST(Checksum, IsThatOfTheExamples) {
    // RFC 1071 section 3: the sum of these is DDF2.
    const Bytes words{std::byte{0x00}, std::byte{0x01}, std::byte{0xF2}, std::byte{0x03},
                      std::byte{0xF4}, std::byte{0xF5}, std::byte{0xF6}, std::byte{0xF7}};
    EXPECT_EQ(net::sum_words(words), 0xDDF2u);
    // RFC 1624 section 4.
    EXPECT_EQ(net::change_sum(0xDD2F, 0x5555, 0x3285), 0x0000);
}

TEST(Checksum, AChangedBitIsSeen) {
    Bytes packet = udp(client, 1, own, 2);
    net::make_sums(packet);
    EXPECT_TRUE(net::sums_hold(packet));
    for (std::size_t i = 0; i < packet.size() * 8; ++i) {
        Bytes changed = packet;
        changed[i / 8] ^= std::byte{1} << i % 8;
        if (changed[9] == packet[9]) {
            EXPECT_FALSE(net::sums_hold(changed)) << i;
        }
    }
    packet[26] = packet[27] = std::byte{0}; // UDP without a sum
    EXPECT_TRUE(net::sums_hold(packet));
}

} // namespace
