// SPDX-License-Identifier: Apache-2.0
#include "partitions/net/firewall.hpp"
#include "partitions/net/words_test.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

using net::Verdict;
using ::net::test::Bytes;

constexpr std::uint32_t own = 0x64404D02, peer = 0x64404D03, other = 0x64404D04;
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
    Bytes out = ip(net::protocol::tcp, source, target, net::tcp_header + 4);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 32, 0x50, 1);
    put(out, 33, flags, 1);
    return out;
}
Bytes udp(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to) {
    Bytes out = ip(net::protocol::udp, source, target, net::udp_header + 4);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 24, net::udp_header + 4, 2);
    return out;
}
Bytes icmp(std::uint32_t source, std::uint32_t target, std::uint8_t type, const Bytes& about = {}) {
    Bytes out = ip(net::protocol::icmp, source, target, net::icmp_header);
    put(out, 20, type, 1);
    put(out, 24, 7, 2);
    out.insert(out.end(), about.begin(), about.end());
    put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
    return out;
}

constexpr std::uint8_t syn = net::tcp_flag::syn, ack = net::tcp_flag::acknowledge, fin = net::tcp_flag::fin,
                       reset = net::tcp_flag::reset;

class Firewall : public testing::Test {
protected:
    static constexpr std::size_t places = 32;
    std::array<net::Peer, 2> peers{{{peer}, {other}}};
    // The first peer may begin TCP to 6379 here; this end may begin UDP to its ports 53 to 60, and anything to the second peer.
    std::array<net::Rule, 3> rules{{{0, true, net::protocol::tcp, 6379, 6379},
                                    {0, false, net::protocol::udp, 53, 60},
                                    {1, false, net::protocol::any, 0, 0xFFFF}}};
    std::array<net::Connection, places> table{};
    net::Firewall wall{own, peers, rules, table};
    std::uint64_t now = second;

    Verdict in(const Bytes& bytes, std::uint8_t from = 0) {
        net::Packet packet;
        return wall.inbound(from, bytes, now, packet);
    }
    Verdict out(const Bytes& bytes, std::uint8_t to = 0) {
        net::Packet packet;
        return wall.outbound(to, bytes, now, packet);
    }
};

TEST_F(Firewall, AConnectionPassesBothWaysOnceARuleHasAdmittedIt) {
    EXPECT_EQ(out(tcp(own, 6379, peer, 40000, syn | ack)), Verdict::no_state);
    EXPECT_EQ(in(tcp(peer, 40000, own, 6379, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 6379, peer, 40000, syn | ack)), Verdict::pass);
    EXPECT_EQ(in(tcp(peer, 40000, own, 6379, ack)), Verdict::pass);
    EXPECT_EQ(in(tcp(peer, 40001, own, 6379, ack)), Verdict::no_state) << "another port of the peer";
    EXPECT_EQ(wall.rules()[0].admitted, 1u);
    EXPECT_EQ(wall.dropped_inbound(Verdict::no_state), 1u);
    EXPECT_EQ(wall.dropped_outbound(Verdict::no_state), 1u);
}

TEST_F(Firewall, WhatNoRuleNamesIsDropped) {
    EXPECT_EQ(in(tcp(peer, 40000, own, 6380, syn)), Verdict::no_rule);
    EXPECT_EQ(in(udp(peer, 40000, own, 6379)), Verdict::no_rule);
    EXPECT_EQ(in(tcp(other, 40000, own, 6379, syn), 1), Verdict::no_rule) << "a rule is one peer's";
    EXPECT_EQ(out(tcp(own, 40000, peer, 6379, syn)), Verdict::no_rule) << "a rule has a direction";
    EXPECT_EQ(in(icmp(peer, own, net::icmp_type::echo)), Verdict::no_rule);
    EXPECT_EQ(out(udp(own, 1000, peer, 52)), Verdict::no_rule);
    EXPECT_EQ(out(udp(own, 1000, peer, 61)), Verdict::no_rule);
    EXPECT_EQ(out(udp(own, 1000, peer, 60)), Verdict::pass);
    EXPECT_TRUE(wall.may_begin(0, net::protocol::udp, peer, 53));
    EXPECT_FALSE(wall.may_begin(0, net::protocol::tcp, peer, 53));
    EXPECT_TRUE(wall.may_begin(1, net::protocol::tcp, other, 1));
}

TEST_F(Firewall, AddressesAreThePeersAndTheOwn) {
    EXPECT_EQ(in(tcp(other, 40000, own, 6379, syn)), Verdict::source);
    EXPECT_EQ(in(tcp(own, 40000, own, 6379, syn)), Verdict::source);
    EXPECT_EQ(in(tcp(peer, 40000, other, 6379, syn)), Verdict::target);
    EXPECT_EQ(out(udp(other, 1000, peer, 53)), Verdict::source);
    EXPECT_EQ(out(udp(own, 1000, other, 53)), Verdict::target);
}

TEST_F(Firewall, OnlyWholeSoundPacketsAreLookedAt) {
    const Bytes sound = tcp(peer, 40000, own, 6379, syn);
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
    EXPECT_EQ(in(changed(0, 0x65)), Verdict::malformed) << "version 6";
    EXPECT_EQ(in(changed(0, 0x46)), Verdict::malformed) << "options";
    EXPECT_EQ(in(changed(6, 0x20)), Verdict::fragment) << "more follow";
    EXPECT_EQ(in(changed(7, 1)), Verdict::fragment) << "not the first";
    EXPECT_EQ(in(changed(6, 0x40)), Verdict::pass) << "do not fragment";
    EXPECT_EQ(in(changed(9, 132)), Verdict::protocol);
    EXPECT_EQ(in(changed(32, 0x40)), Verdict::malformed) << "a TCP header of 16 bytes";
    EXPECT_EQ(in(changed(32, 0xF0)), Verdict::malformed) << "one that goes beyond the packet";
    Bytes datagram = udp(peer, 1, own, 2);
    put(datagram, 24, 200, 2);
    EXPECT_EQ(in(datagram), Verdict::malformed);
    EXPECT_EQ(in(icmp(peer, own, 5)), Verdict::protocol) << "a redirect";
}

TEST_F(Firewall, AnErrorPassesWhereItIsAboutAConnection) {
    const Bytes sent = udp(own, 1000, peer, 53);
    const Bytes quoted(sent.begin(), sent.begin() + 28);
    EXPECT_EQ(in(icmp(peer, own, net::icmp_type::unreachable, quoted)), Verdict::no_state);
    EXPECT_EQ(out(sent), Verdict::pass);
    EXPECT_EQ(in(icmp(peer, own, net::icmp_type::unreachable, quoted)), Verdict::pass);
    EXPECT_EQ(in(icmp(other, own, net::icmp_type::unreachable, quoted), 1), Verdict::no_state) << "another's";
    EXPECT_EQ(in(icmp(peer, own, net::icmp_type::unreachable, {quoted.begin(), quoted.begin() + 27})),
              Verdict::malformed);
    EXPECT_EQ(in(icmp(peer, own, net::icmp_type::unreachable)), Verdict::malformed);
    EXPECT_EQ(out(icmp(own, other, net::icmp_type::echo), 1), Verdict::pass);
    EXPECT_EQ(in(icmp(other, own, net::icmp_type::echo_reply), 1), Verdict::pass);
    EXPECT_EQ(in(icmp(peer, own, net::icmp_type::echo_reply)), Verdict::no_state);
}

TEST_F(Firewall, TimeAndTheEndsOfAConnectionCloseIt) {
    EXPECT_EQ(out(udp(own, 1000, peer, 53)), Verdict::pass);
    now += 29 * second;
    EXPECT_EQ(in(udp(peer, 53, own, 1000)), Verdict::pass);
    now += 179 * second;
    EXPECT_EQ(in(udp(peer, 53, own, 1000)), Verdict::pass) << "answered: it stays longer";
    now += 181 * second;
    EXPECT_EQ(in(udp(peer, 53, own, 1000)), Verdict::no_rule);

    EXPECT_EQ(in(tcp(peer, 1, own, 6379, syn)), Verdict::pass);
    now += 31 * second;
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, ack)), Verdict::no_state) << "nobody answered";
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 6379, peer, 1, syn | ack)), Verdict::pass);
    now += 24 * 3600 * second;
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, ack | fin)), Verdict::pass);
    now += 3600 * second;
    EXPECT_EQ(out(tcp(own, 6379, peer, 1, ack | fin)), Verdict::pass) << "half closed";
    now += 59 * second;
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, ack)), Verdict::pass) << "the last one, once more";
    now += 61 * second;
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, ack)), Verdict::no_state);

    EXPECT_EQ(in(tcp(peer, 2, own, 6379, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 6379, peer, 2, reset | ack)), Verdict::pass);
    EXPECT_EQ(in(tcp(peer, 2, own, 6379, syn)), Verdict::pass) << "the same ports anew";
    EXPECT_EQ(wall.rules()[0].admitted, 4u);
    EXPECT_EQ(out(tcp(own, 6379, peer, 2, syn | ack)), Verdict::pass);
    wall.forget(0);
    EXPECT_EQ(in(tcp(peer, 2, own, 6379, ack)), Verdict::no_state) << "another program is there";
}

TEST_F(Firewall, AFloodDisplacesNoConnectionThatIsInUse) {
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, syn)), Verdict::pass);
    EXPECT_EQ(out(tcp(own, 6379, peer, 1, syn | ack)), Verdict::pass);
    for (std::uint16_t port = 1000; port < 2000; ++port)
        EXPECT_EQ(in(tcp(peer, port, own, 6379, syn)), Verdict::pass);
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, ack)), Verdict::pass);
    EXPECT_EQ(in(tcp(peer, 1999, own, 6379, ack)), Verdict::pass) << "the newest is there too";
    for (std::uint16_t port = 3000; port < 3000 + 2 * places; ++port) { // answered, all of them
        (void)in(tcp(peer, port, own, 6379, syn));
        (void)out(tcp(own, 6379, peer, port, syn | ack));
    }
    EXPECT_EQ(in(tcp(peer, 5000, own, 6379, syn)), Verdict::full);
    EXPECT_EQ(in(tcp(peer, 1, own, 6379, ack)), Verdict::pass);
    EXPECT_GT(wall.dropped_inbound(Verdict::full), 0u);
}

} // namespace
