// SPDX-License-Identifier: Apache-2.0
// partitions/net/translator_test.cpp - two containers behind one address: ports, published ones, names, errors, rates, limits.
#include "partitions/net/checksum.hpp"
#include "partitions/net/translator.hpp"
#include "partitions/net/words_test.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <memory>
#include <set>
#include <vector>

namespace {

using net::Verdict;
using ::net::test::Bytes;
using ::net::test::get;
using ::net::test::put;

constexpr std::uint32_t subnet = 0x64404D00, gateway = subnet + 1, web = subnet + 2, db = subnet + 3;
constexpr std::uint32_t outer = 0xC000020A, server = 0xC6336407, client = 0xCB007105, resolver = 0xC0000201;
constexpr std::uint64_t second = 1'000'000'000;
constexpr std::uint8_t syn = net::tcp_flag::syn, ack = net::tcp_flag::acknowledge, rst = net::tcp_flag::reset;

Bytes ip(std::uint8_t protocol, std::uint32_t source, std::uint32_t target, const Bytes& payload) {
    Bytes out(net::ip_header);
    put(out, 0, 0x45, 1);
    put(out, 2, static_cast<std::uint32_t>(net::ip_header + payload.size()), 2);
    put(out, 8, 64, 1);
    put(out, 9, protocol, 1);
    put(out, 12, source, 4);
    put(out, 16, target, 4);
    out.insert(out.end(), payload.begin(), payload.end());
    net::make_sums(out);
    return out;
}
Bytes tcp(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to,
          std::uint8_t flags, std::size_t data = 5) {
    Bytes out(net::tcp_header + data, std::byte{0x5A});
    put(out, 0, from, 2);
    put(out, 2, to, 2);
    put(out, 12, 0x50, 1);
    put(out, 13, flags, 1);
    return ip(net::protocol::tcp, source, target, out);
}
Bytes udp(std::uint32_t source, std::uint16_t from, std::uint32_t target, std::uint16_t to,
          std::size_t data = 3) {
    Bytes out(net::udp_header + data, std::byte{0xA5});
    put(out, 0, from, 2);
    put(out, 2, to, 2);
    put(out, 4, static_cast<std::uint32_t>(out.size()), 2);
    return ip(net::protocol::udp, source, target, out);
}
Bytes echo(std::uint32_t source, std::uint32_t target, std::uint8_t type, std::uint16_t number) {
    Bytes out(net::icmp_header + 4, std::byte{7});
    put(out, 0, type, 1);
    put(out, 1, 0, 1);
    put(out, 4, number, 2);
    return ip(net::protocol::icmp, source, target, out);
}
// "Port unreachable", about the first 28 bytes of `packet`, or all of it.
Bytes unreachable(std::uint32_t source, std::uint32_t target, const Bytes& packet, std::size_t quoted = 28) {
    Bytes out(net::icmp_header);
    put(out, 0, 3, 1);
    put(out, 1, 3, 1);
    out.insert(out.end(), packet.begin(),
               packet.begin() + static_cast<std::ptrdiff_t>(std::min(quoted, packet.size())));
    return ip(net::protocol::icmp, source, target, out);
}
std::uint32_t source_of(const Bytes& packet) {
    return get(packet, 12, 4);
}
std::uint32_t target_of(const Bytes& packet) {
    return get(packet, 16, 4);
}
std::uint16_t port(const Bytes& packet, std::size_t at) {
    return static_cast<std::uint16_t>(get(packet, net::ip_header + at, 2));
}
// TCP's too, which sums_hold() leaves to TCP.
bool is_whole(const Bytes& packet) {
    return net::sum_words(std::span{packet}.first(net::ip_header)) == 0xFFFF &&
           net::sum_payload(packet) == 0xFFFF;
}

struct Box {
    std::vector<net::Rule> rules;
    std::vector<net::Pace> paces;
    std::array<net::Peer, 1> peers{};
    std::array<net::Connection, 32> table{};
    std::unique_ptr<net::Firewall> firewall;

    net::Contained open(std::uint32_t address) {
        peers[0] = {
            .outside = true, .own = address, .inside = subnet, .inside_mask = 0xFFFFFF00, .gateway = gateway};
        firewall = std::make_unique<net::Firewall>(address, peers, rules, table);
        return {address, firewall.get(), table, rules, paces};
    }
};

class Uplink : public testing::Test {
protected:
    Box first, second_box;
    std::array<net::Contained, 2> contained;
    std::array<net::Publication, 2> published{
        {{0, net::protocol::tcp, 8080, 80}, {1, net::protocol::tcp, 5432, 5432}}};
    std::array<net::Translation, 64> translations{};
    std::array<std::uint32_t, 2> name_servers{resolver, resolver + 1};
    std::unique_ptr<net::Translator> uplink;
    std::uint64_t now = second;

    void SetUp() override {
        first.rules = {{0, true, net::protocol::tcp, 80, 80}, {0, false, net::protocol::any, 0, 0xFFFF}};
        second_box.rules = {{0, true, net::protocol::tcp, 5432, 5432},
                            {0, false, net::protocol::tcp, 443, 443, 0, 0xC6336400, 0xFFFFFF00},
                            {0, false, net::protocol::udp, 53, 53}};
        contained = {first.open(web), second_box.open(db)};
        uplink =
            std::make_unique<net::Translator>(gateway, contained, published, translations, name_servers, 1);
        uplink->set_outside(outer);
    }
    Verdict leave(std::uint8_t container, Bytes& bytes) {
        net::Packet packet;
        return uplink->leave(container, bytes, now, packet);
    }
    Verdict enter(Bytes& bytes, std::uint8_t& container) { return uplink->enter(bytes, now, container); }
    // What leaves of a packet that passes.
    Bytes left(std::uint8_t container, Bytes bytes) {
        EXPECT_EQ(leave(container, bytes), Verdict::pass);
        EXPECT_TRUE(is_whole(bytes));
        EXPECT_EQ(source_of(bytes), outer);
        return bytes;
    }
    Bytes entered(Bytes bytes, std::uint8_t expected) {
        std::uint8_t container = 0xFF;
        EXPECT_EQ(enter(bytes, container), Verdict::pass);
        EXPECT_EQ(container, expected);
        EXPECT_TRUE(is_whole(bytes));
        return bytes;
    }
    Verdict verdict_of_entering(Bytes bytes) {
        std::uint8_t container = 0;
        return enter(bytes, container);
    }
};

TEST_F(Uplink, AConnectionGoesOutAndItsAnswersComeBack) {
    const Bytes out = left(0, tcp(web, 40000, server, 80, syn));
    EXPECT_EQ(target_of(out), server);
    EXPECT_EQ(port(out, 0), 40000); // nobody else has it
    EXPECT_EQ(port(out, 2), 80);
    const Bytes in = entered(tcp(server, 80, outer, 40000, syn | ack), 0);
    EXPECT_EQ(target_of(in), web);
    EXPECT_EQ(source_of(in), server);
    EXPECT_EQ(port(in, 2), 40000);
    EXPECT_EQ(verdict_of_entering(tcp(server, 81, outer, 40000, syn | ack)), Verdict::no_state);
    EXPECT_EQ(verdict_of_entering(tcp(client, 80, outer, 40000, syn | ack)), Verdict::no_state);
}

TEST_F(Uplink, TwoWithTheSamePortAreToldApart) {
    second_box.rules[1] = {0, false, net::protocol::any, 0, 0xFFFF};
    const Bytes one = left(0, tcp(web, 40000, server, 443, syn)),
                other = left(1, tcp(db, 40000, server, 443, syn));
    EXPECT_NE(port(one, 0), port(other, 0));
    EXPECT_EQ(target_of(entered(tcp(server, 443, outer, port(one, 0), syn | ack), 0)), web);
    const Bytes in = entered(tcp(server, 443, outer, port(other, 0), syn | ack), 1);
    EXPECT_EQ(target_of(in), db);
    EXPECT_EQ(port(in, 2), 40000);
    // To another server the port is free.
    EXPECT_EQ(port(left(1, tcp(db, 40000, server + 1, 443, syn)), 0), 40000);
}

TEST_F(Uplink, APublishedPortIsItsContainers) {
    const Bytes in = entered(tcp(client, 6000, outer, 8080, syn), 0);
    EXPECT_EQ(target_of(in), web);
    EXPECT_EQ(port(in, 2), 80);
    const Bytes out = left(0, tcp(web, 80, client, 6000, syn | ack));
    EXPECT_EQ(port(out, 0), 8080);
    EXPECT_EQ(target_of(entered(tcp(client, 6000, outer, 5432, syn), 1)), db);
    EXPECT_EQ(verdict_of_entering(tcp(client, 6000, outer, 80, syn)), Verdict::no_state);
    EXPECT_EQ(verdict_of_entering(udp(client, 6000, outer, 8080)), Verdict::no_state);
    EXPECT_EQ(verdict_of_entering(tcp(client, 6001, outer, 8080, rst)), Verdict::no_state);
    // Of no connection: its container says so to whom it came from, and to nobody else.
    Bytes unasked = tcp(web, 80, client, 6001, rst, 1000);
    EXPECT_EQ(leave(0, unasked), Verdict::no_state);
    EXPECT_EQ(port(entered(tcp(client, 6001, outer, 8080, ack), 0), 2), 80);
    const Bytes reset = left(0, tcp(web, 80, client, 6001, rst));
    EXPECT_EQ(port(reset, 0), 8080);
    EXPECT_EQ(source_of(reset), outer);
    Bytes other = tcp(db, 80, client, 6001, rst);
    EXPECT_EQ(leave(1, other), Verdict::no_state) << "not its port";
    // What is published is nobody's to begin with, though its number is free to this server.
    EXPECT_NE(port(left(0, tcp(web, 8080, server, 80, syn)), 0), 8080);
}

TEST_F(Uplink, WhatNoRuleNamesStays) {
    Bytes refused = tcp(db, 40000, server, 80, syn);
    EXPECT_EQ(leave(1, refused), Verdict::no_rule);
    refused = tcp(db, 40000, client, 443, syn);
    EXPECT_EQ(leave(1, refused), Verdict::no_rule);
    EXPECT_EQ(source_of(left(1, tcp(db, 40000, server, 443, syn))), outer);
}

TEST_F(Uplink, NobodySpeaksForAnother) {
    for (const std::uint32_t source : {db, gateway, outer, client}) {
        Bytes bytes = tcp(source, 40000, server, 80, syn);
        EXPECT_EQ(leave(0, bytes), Verdict::source) << std::hex << source;
    }
    for (const std::uint32_t target : {web, db, outer, 0x7F000001u, 0xE0000001u, 0xFFFFFFFFu, 0u}) {
        Bytes bytes = tcp(web, 40000, target, 80, syn);
        EXPECT_EQ(leave(0, bytes), Verdict::target) << std::hex << target;
    }
    for (const std::uint32_t source : {web, db, gateway, outer, 0x7F000001u, 0xE0000001u})
        EXPECT_NE(verdict_of_entering(tcp(source, 6000, outer, 8080, syn)), Verdict::pass)
            << std::hex << source;
    EXPECT_EQ(verdict_of_entering(tcp(client, 6000, web, 80, syn)), Verdict::target);
}

TEST_F(Uplink, EchoesHaveNumbersOfTheirOwn) {
    const Bytes out = left(0, echo(web, server, 8, 4000));
    EXPECT_EQ(target_of(out), server);
    const std::uint16_t number = port(out, 4);
    const Bytes in = entered(echo(server, outer, 0, number), 0);
    EXPECT_EQ(port(in, 4), 4000);
    EXPECT_EQ(target_of(in), web);
    EXPECT_EQ(verdict_of_entering(echo(server, outer, 8, number)), Verdict::no_rule);
    EXPECT_EQ(verdict_of_entering(echo(client, outer, 0, number)), Verdict::no_state);
}

TEST_F(Uplink, AQuestionForANameGoesToAServerThatAnswers) {
    Bytes out = left(1, udp(db, 40000, gateway, 53));
    EXPECT_EQ(target_of(out), resolver);
    const Bytes in = entered(udp(resolver, 53, outer, port(out, 0)), 1);
    EXPECT_EQ(source_of(in), gateway);
    EXPECT_EQ(port(in, 2), 40000);
    EXPECT_EQ(verdict_of_entering(udp(client, 53, outer, port(out, 0))), Verdict::no_state);
    // Asked again and again without an answer: the other one.
    EXPECT_EQ(target_of(left(1, udp(db, 40001, gateway, 53))), resolver);
    now += 3 * second;
    out = left(1, udp(db, 40001, gateway, 53));
    EXPECT_EQ(target_of(out), resolver + 1);
    EXPECT_EQ(source_of(entered(udp(resolver + 1, 53, outer, port(out, 0)), 1)), gateway);
    now += 3 * second;
    EXPECT_EQ(target_of(left(1, udp(db, 40002, gateway, 53))), resolver + 1);
    // Only names are asked there.
    Bytes other = udp(web, 40000, gateway, 54);
    EXPECT_EQ(leave(0, other), Verdict::target);
    // Nor is there anything where no server is known.
    name_servers = {};
    Bytes asked = udp(db, 40003, gateway, 53);
    EXPECT_EQ(leave(1, asked), Verdict::target);
}

TEST_F(Uplink, ErrorsFindWhomTheyAreAbout) {
    for (const std::size_t quoted : {std::size_t{28}, std::size_t{31}, std::size_t{548}}) {
        now += 400 * second;
        const Bytes out = left(0, udp(web, 500, server, 7, 40)); // a low port gets another one
        EXPECT_GE(port(out, 0), 1024);
        const Bytes in = entered(unreachable(client, outer, out, quoted), 0);
        EXPECT_EQ(target_of(in), web);
        const Bytes about(in.begin() + 28, in.end());
        EXPECT_EQ(source_of(about), web);
        EXPECT_EQ(port(about, 0), 500);
        EXPECT_EQ(net::sum_words(std::span{about}.first(net::ip_header)), 0xFFFFu);
        if (about.size() == out.size()) {
            EXPECT_TRUE(is_whole(about));
        }
    }
    EXPECT_EQ(verdict_of_entering(unreachable(client, outer, udp(outer, 999, server, 7))), Verdict::no_state);
    // And one that a container sends, about what it was sent.
    const Bytes question = left(1, udp(db, 40000, gateway, 53));
    const Bytes answer = udp(resolver, 53, outer, port(question, 0), 40);
    const Bytes inside = entered(answer, 1);
    const Bytes error = left(1, unreachable(db, gateway, inside, 548));
    EXPECT_EQ(target_of(error), resolver);
    EXPECT_EQ(Bytes(error.begin() + 28, error.end()), answer);
    (void)left(1, tcp(db, 41000, server, 443, syn));
    const Bytes other = entered(tcp(server, 443, outer, 41000, syn | ack), 1);
    for (const std::uint32_t target : {gateway, client, resolver}) {
        Bytes astray = unreachable(db, target, other, 548);
        EXPECT_EQ(leave(1, astray), Verdict::target) << std::hex << target;
    }
    (void)left(1, unreachable(db, server, other, 548));
}

TEST_F(Uplink, DamageStaysDamage) {
    Bytes bytes = tcp(web, 40000, server, 80, syn);
    bytes.back() ^= std::byte{1};
    ASSERT_EQ(leave(0, bytes), Verdict::pass);
    EXPECT_FALSE(is_whole(bytes));
    Bytes none = udp(web, 40000, server, 80);
    put(none, 26, 0, 2); // no sum was made
    ASSERT_EQ(leave(0, none), Verdict::pass);
    EXPECT_EQ(get(none, 26, 2), 0u);
}

TEST_F(Uplink, EveryPortKeepsItsSum) {
    for (std::uint32_t number = 1; number < 0x10000; number += 7) {
        now += 400 * second;
        (void)left(0, udp(web, static_cast<std::uint16_t>(number), server, 9));
    }
}

TEST_F(Uplink, AnotherAddressOutsideEndsWhatWas) {
    (void)left(0, tcp(web, 40000, server, 80, syn));
    uplink->set_outside(outer + 1);
    Bytes bytes = tcp(server, 80, outer + 1, 40000, syn | ack);
    EXPECT_EQ(verdict_of_entering(bytes), Verdict::no_state);
    bytes = tcp(web, 40000, server, 80, ack);
    EXPECT_EQ(leave(0, bytes), Verdict::no_state);
    uplink->set_outside(0);
    bytes = tcp(web, 40000, server, 80, syn);
    EXPECT_EQ(leave(0, bytes), Verdict::target);
    EXPECT_EQ(verdict_of_entering(tcp(client, 1, 0, 8080, syn)), Verdict::target);
}

TEST_F(Uplink, AFloodTakesNoPlaceOfOthersNorOfConnectionsInUse) {
    (void)left(0, tcp(web, 40000, server, 80, syn));
    (void)entered(tcp(server, 80, outer, 40000, syn | ack), 0);
    (void)left(1, tcp(db, 40000, server, 443, syn));
    for (std::uint32_t i = 0; i < 1000; ++i) {
        Bytes bytes = tcp(web, static_cast<std::uint16_t>(2000 + i), client + i, 80, syn);
        (void)leave(0, bytes);
        (void)verdict_of_entering(tcp(client + i, 7, outer, 8080, syn));
    }
    EXPECT_EQ(target_of(entered(tcp(server, 80, outer, 40000, ack), 0)), web);
    EXPECT_EQ(target_of(entered(tcp(server, 443, outer, 40000, syn | ack), 1)), db);
}

TEST_F(Uplink, PortsOfConnectionsThatAreOverAreFree) {
    std::set<std::uint16_t> seen;
    for (int i = 0; i < 200; ++i) {
        now += 40 * second; // nobody answered
        seen.insert(port(left(0, tcp(web, 40000, server, 80, syn)), 0));
    }
    EXPECT_EQ(seen, std::set<std::uint16_t>{40000});
}

TEST_F(Uplink, LargePacketsAndFragmentsStay) {
    Bytes large = udp(web, 40000, server, 80, 1473);
    EXPECT_EQ(leave(0, large), Verdict::malformed);
    (void)left(0, udp(web, 40000, server, 80, 1472));
    Bytes piece = udp(web, 40000, server, 80);
    put(piece, 6, 0x2000, 2);
    EXPECT_EQ(leave(0, piece), Verdict::fragment);
}

// What goes in ten seconds of far more than the rate, each way.
TEST_F(Uplink, ARateIsKeptWithinATenth) {
    first.rules[1].limit = 1;
    for (const std::uint64_t rate : {std::uint64_t{20'000}, std::uint64_t{1'250'000}}) {
        first.paces.assign(2, net::Pace{rate});
        contained[0].paces = first.paces;
        const std::uint64_t until = now + 10 * second, step = 10 * second / (rate / 100 + 1000);
        std::uint64_t went = 0, came = 0;
        for (; now < until; now += step) {
            Bytes bytes = udp(web, 40000, server, 80, 1000);
            const std::size_t size = bytes.size();
            if (leave(0, bytes) == Verdict::pass && uplink->goes_at() < until)
                went += size;
            bytes = udp(server, 80, outer, 40000, 1000);
            std::uint8_t container = 0;
            if (enter(bytes, container) == Verdict::pass && uplink->goes_at() < until)
                came += size;
        }
        EXPECT_NEAR(static_cast<double>(went) / (10.0 * static_cast<double>(rate)), 1.0, 0.1) << rate;
        EXPECT_NEAR(static_cast<double>(came) / (10.0 * static_cast<double>(rate)), 1.0, 0.1) << rate;
    }
}

TEST_F(Uplink, RulesShareARateAndWhatHasNoneGoesAtOnce) {
    second_box.rules[1].limit = second_box.rules[2].limit = 1;
    second_box.paces.assign(2, net::Pace{10'000});
    contained[1].paces = second_box.paces;
    (void)left(1, tcp(db, 40000, server, 443, syn, 1400));
    (void)left(1, tcp(db, 40001, server, 443, syn, 1400));
    EXPECT_LE(uplink->goes_at(), now);
    (void)left(1, udp(db, 40000, server, 53, 1000));
    EXPECT_GT(uplink->goes_at(), now); // by another rule
    (void)left(0, tcp(web, 40000, server, 80, syn, 1400));
    EXPECT_EQ(uplink->goes_at(), 0u);
}

TEST_F(Uplink, WhatIsTakenBackAnotherMaySend) {
    first.rules[1].limit = 1;
    first.paces.assign(2, net::Pace{10'000});
    contained[0].paces = first.paces;
    for (int i = 0; i < 3; ++i)
        (void)left(0, udp(web, 40000, server, 80, 1400));
    const std::uint64_t at = uplink->goes_at();
    for (int i = 0; i < 20; ++i) {
        uplink->take_back(1428);
        (void)left(0, udp(web, 40000, server, 80, 1400));
        EXPECT_EQ(uplink->goes_at(), at);
    }
}

} // namespace
