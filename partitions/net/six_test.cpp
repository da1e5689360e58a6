// SPDX-License-Identifier: Apache-2.0
// partitions/net/six_test.cpp - rules and connections of IPv6, published ports and sums.
#include "partitions/net/six_test.hpp"
#include "partitions/net/firewall.hpp"
#include "partitions/net/published.hpp"

#include <gtest/gtest.h>

namespace {

using namespace ::net::test;
using net::Address6;
using net::Verdict;

constexpr std::uint32_t inner = 0x64404D02, own = 0xC000020A, client = 0xCB007105;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint8_t syn = net::tcp_flag::syn, ack = net::tcp_flag::acknowledge;

struct Six : testing::Test {
    net::OwnAddresses6 addresses{{own6, {0xFE80ull << 48, 0x10}}};
    std::array<net::Peer, 2> peers{
        {{.address = 0x64404D03},
         {.outside = true, .own = own, .inside = 0x64404D00, .inside_mask = 0xFFFFFF00, .own6 = &addresses}}};
    // Port 80 is published for both families, 81 for IPv4; this end may begin TCP to port 443 of 2001:db8:1::/48, and to port 22 of one
    // network of IPv4. The wire is open.
    std::array<net::Rule, 7> rules{
        {{.peer = 1, .inbound = true, .protocol = net::protocol::tcp, .first_port = 80, .last_port = 80},
         {.peer = 1,
          .inbound = true,
          .protocol = net::protocol::tcp,
          .first_port = 80,
          .last_port = 80,
          .v6 = true},
         {.peer = 1, .inbound = true, .protocol = net::protocol::tcp, .first_port = 81, .last_port = 81},
         {.peer = 1,
          .protocol = net::protocol::tcp,
          .first_port = 443,
          .last_port = 443,
          .v6 = true,
          .prefix6 = 48,
          .network6 = {documentation + 0x1'0000, 0}},
         {.peer = 1,
          .protocol = net::protocol::tcp,
          .first_port = 22,
          .last_port = 22,
          .network = 0xC6336400,
          .mask = 0xFFFFFF00},
         {.peer = 1, .protocol = net::protocol::udp, .first_port = 53, .last_port = 53, .v6 = true},
         {.peer = 0, .inbound = true, .v6 = true}}};
    std::array<net::Connection, 32> table{};
    net::Firewall wall{inner, peers, rules, table};
    std::uint64_t now = second;

    Verdict in(const Bytes& bytes, std::uint8_t from = 1) {
        net::Packet packet;
        return wall.inbound(from, bytes, now, packet);
    }
    Verdict out(const Bytes& bytes) {
        net::Packet packet;
        return wall.outbound(1, bytes, now, packet);
    }
};
constexpr Address6 server6{documentation + 0x1'0000, 9};

TEST_F(Six, OnlyWhatIsPublishedIsAdmitted) {
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 80, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp6(own6, 80, client6, 5000, syn | ack)), Verdict::pass);
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 80, ack)), Verdict::pass);
    EXPECT_EQ(in(tcp6(far6, 5000, own6, 80, ack)), Verdict::pass);
    EXPECT_EQ(wall.passed()->peer_address, far6) << "another end with the same ports";
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 81, syn)), Verdict::no_rule) << "that one is IPv4's";
    EXPECT_EQ(in(udp6(client6, 5000, own6, 80)), Verdict::no_rule);
    EXPECT_EQ(in(icmp6(client6, own6, net::icmp6_type::echo, Bytes(4))), Verdict::no_rule);
    EXPECT_EQ(in(icmp6(client6, own6, 135, about_neighbour(own6))), Verdict::protocol)
        << "neighbours' is not here";
    EXPECT_EQ(in(icmp6(client6, own6, 137, Bytes(36))), Verdict::protocol) << "a redirect";
}

TEST_F(Six, ARuleIsAboutOneFamily) {
    EXPECT_TRUE(wall.may_begin(1, net::protocol::tcp, server6, 443));
    EXPECT_FALSE(wall.may_begin(1, net::protocol::tcp, far6, 443)) << "outside of its network";
    EXPECT_FALSE(wall.may_begin(1, net::protocol::tcp, 0xC6336407, 443));
    EXPECT_TRUE(wall.may_begin(1, net::protocol::tcp, 0xC6336407, 22));
    EXPECT_FALSE(wall.may_begin(1, net::protocol::tcp, server6, 22));
    EXPECT_FALSE(wall.may_begin(1, net::protocol::udp, 0x08080808, 53))
        << "a rule for all of IPv6 is none of IPv4";
    EXPECT_TRUE(wall.may_begin(1, net::protocol::udp, server6, 53));
    EXPECT_EQ(out(tcp6(own6, 4000, server6, 443, syn)), Verdict::pass);
    EXPECT_EQ(in(tcp6(server6, 443, own6, 4000, syn | ack)), Verdict::pass);
    EXPECT_EQ(out(tcp6(own6, 4000, far6, 443, syn)), Verdict::no_rule);
}

TEST_F(Six, NobodyThereHasAnAddressOfOursOrOfIPv4) {
    const Address6 loopback{0, 1}, group{0xFF02ull << 48, 1}, compatible{0, 0x64404D03};
    for (const Address6& source : {own6, addresses.all[1], loopback, group, compatible, Address6{},
                                   net::mapped(client), net::mapped(0x64404D03), net::mapped(own)})
        EXPECT_EQ(in(tcp6(source, 5000, own6, 80, syn)), Verdict::source) << std::hex << source.low;
    for (const Address6& target : {client6, group, Address6{}, Address6{documentation, 0x11}})
        EXPECT_EQ(in(tcp6(far6, 5000, target, 80, syn)), Verdict::target) << std::hex << target.low;
    EXPECT_EQ(in(tcp6(client6, 5000, net::mapped(own), 80, syn)), Verdict::source)
        << "IPv4's own address is none of IPv6's";
    EXPECT_EQ(out(tcp6(net::mapped(own), 80, client6, 5000, syn)), Verdict::source);
    EXPECT_EQ(out(tcp6(client6, 80, far6, 5000, syn)), Verdict::source);
    EXPECT_EQ(out(tcp6(own6, 4000, net::mapped(0xC6336407), 22, syn)), Verdict::source);
    EXPECT_EQ(in(tcp6(client6, 5000, addresses.all[1], 80, syn)), Verdict::pass) << "each of its own";
    addresses.all[1] = {};
    EXPECT_EQ(in(tcp6(client6, 5001, {0xFE80ull << 48, 0x10}, 80, syn)), Verdict::target) << "it has gone";
}

TEST_F(Six, WiresCarryIPv4) {
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 80, syn), 0), Verdict::malformed);
    peers[1].own6 = nullptr;
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 80, syn)), Verdict::malformed) << "nor does who has no IPv6";
}

TEST_F(Six, OnlyWholeSoundPacketsAreLookedAt) {
    const Bytes sound = tcp6(client6, 5000, own6, 80, syn);
    for (std::size_t bytes = 0; bytes < sound.size(); ++bytes)
        EXPECT_EQ(in({sound.begin(), sound.begin() + static_cast<long>(bytes)}), Verdict::malformed) << bytes;
    Bytes longer = sound;
    longer.push_back({});
    EXPECT_EQ(in(longer), Verdict::malformed);
    const auto changed = [&sound](std::size_t at, unsigned value) {
        Bytes out = sound;
        out[at] = static_cast<std::byte>(value);
        return out;
    };
    EXPECT_EQ(in(changed(0, 0x70)), Verdict::malformed) << "version 7";
    EXPECT_EQ(in(changed(52, 0x40)), Verdict::malformed) << "a TCP header of 16 bytes";
    EXPECT_EQ(in(changed(6, 44)), Verdict::fragment);
    for (const unsigned next : {0u, 43u, 60u, 51u, 50u, 59u, 1u, 132u})
        EXPECT_EQ(in(changed(6, next)), Verdict::protocol) << next;
    Bytes datagram = udp6(client6, 1, own6, 80);
    put(datagram, 44, 200, 2);
    EXPECT_EQ(in(datagram), Verdict::malformed);
}

TEST_F(Six, AnErrorPassesWhereItIsAboutAConnection) {
    const Bytes sent = udp6(own6, 1000, server6, 53);
    Bytes body(4);
    body.insert(body.end(), sent.begin(), sent.end());
    for (std::uint8_t type = 1; type <= 4; ++type)
        EXPECT_EQ(in(icmp6(router6, own6, type, body, 64)), Verdict::no_state);
    EXPECT_EQ(out(sent), Verdict::pass);
    for (std::uint8_t type = 1; type <= 4; ++type) // too big, time exceeded, from whichever router
        EXPECT_EQ(in(icmp6(router6, own6, type, body, 64)), Verdict::pass);
    EXPECT_EQ(in(icmp6(router6, own6, 5, body, 64)), Verdict::protocol);
    Bytes other = body;
    put(other, 4 + 40, 1001, 2);
    EXPECT_EQ(in(icmp6(router6, own6, 1, other, 64)), Verdict::no_state);
    Bytes behind = body; // what is quoted has a header that this end does not send
    put(behind, 4 + 6, 60, 1);
    EXPECT_EQ(in(icmp6(router6, own6, 1, behind, 64)), Verdict::malformed);
    EXPECT_EQ(in(icmp6(router6, own6, 1, {body.begin(), body.begin() + 4 + 47}, 64)), Verdict::malformed);
}

TEST_F(Six, ConnectionsOfBothFamiliesAreKept) {
    net::Packet packet;
    Bytes four(net::ip_header + net::tcp_header);
    put(four, 0, 0x45, 1);
    put(four, 2, static_cast<std::uint32_t>(four.size()), 2);
    put(four, 9, net::protocol::tcp, 1);
    put(four, 12, client, 4);
    put(four, 16, own, 4);
    put(four, 20, 5000, 2);
    put(four, 22, 80, 2);
    put(four, 32, 0x5000 | syn, 2);
    EXPECT_EQ(wall.inbound(1, four, now, packet), Verdict::pass);
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 80, syn)), Verdict::pass);
    put(four, 32, 0x5000 | ack, 2);
    EXPECT_EQ(wall.inbound(1, four, now, packet), Verdict::pass);
    EXPECT_EQ(rules[0].admitted, 1u);
    EXPECT_EQ(rules[1].admitted, 1u);
    wall.forget(1);
    EXPECT_EQ(in(tcp6(client6, 5000, own6, 80, ack)), Verdict::pass);
    EXPECT_EQ(wall.passed()->state, net::Connection::State::opening) << "another one";
}

TEST(Addresses6, AreWhatTheyAre) {
    EXPECT_TRUE(net::is_within(own6, {documentation, 0}, 64));
    EXPECT_FALSE(net::is_within(far6, {documentation, 0}, 64));
    EXPECT_TRUE(net::is_within(far6, {documentation, 0}, 29));
    EXPECT_TRUE(net::is_within(own6, own6, 128));
    EXPECT_FALSE(net::is_within({documentation, 0x11}, own6, 128));
    EXPECT_TRUE(net::is_within({documentation, 0x11}, own6, 127));
    EXPECT_TRUE(net::is_within(own6, {}, 0));
    EXPECT_FALSE(net::is_link_local(own6));
    EXPECT_TRUE(net::is_link_local({0xFEBFull << 48, 1}));
    EXPECT_FALSE(net::is_link_local({0xFEC0ull << 48, 1}));
    EXPECT_EQ(net::solicited_group({documentation, 0x1234'5678'9ABC}),
              (Address6{0xFF02ull << 48, 0x1'FF78'9ABC}));
    Bytes bytes(16);
    net::write_address6(far6, bytes);
    EXPECT_EQ(net::read_address6(bytes), far6);
    EXPECT_EQ(get(bytes, 0, 4), 0x20010DB8u);
}

TEST(Checksum6, AChangedBitIsSeen) {
    for (const Bytes& packet : {udp6(client6, 1, own6, 2), icmp6(client6, own6, 128, Bytes(4))}) {
        EXPECT_TRUE(net::sums_hold(packet));
        for (std::size_t bit = 64; bit < packet.size() * 8; ++bit) { // from the addresses on
            Bytes damaged = packet;
            damaged[bit / 8] ^= std::byte{1} << bit % 8;
            EXPECT_FALSE(net::sums_hold(damaged)) << bit;
        }
    }
    Bytes none = udp6(client6, 1, own6, 2);
    put(none, 46, 0, 2);
    EXPECT_FALSE(net::sums_hold(none)) << "IPv6 has no datagram without";
}

TEST(PublishedPorts6, SumsStayRight) {
    const std::array<net::PublishedPort, 2> entries{
        {{net::protocol::tcp, 8080, 80}, {net::protocol::udp, 5353, 53}}};
    const net::PublishedPorts ports{entries};
    Bytes packet = tcp6(client6, 5000, own6, 8080, syn);
    ports.enter(packet);
    EXPECT_EQ(get(packet, 42, 2), 80u);
    EXPECT_EQ(net::sum_payload(packet), 0xFFFFu);
    Bytes datagram = udp6(own6, 53, client6, 700);
    ports.leave(datagram);
    EXPECT_EQ(get(datagram, 40, 2), 5353u);
    EXPECT_TRUE(net::sums_hold(datagram));
    Bytes cut = tcp6(client6, 5000, own6, 8080, syn); // less than has a sum
    cut.resize(50);
    const Bytes before = cut;
    ports.enter(cut);
    EXPECT_EQ(cut, before);
}

} // namespace
