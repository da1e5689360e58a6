// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/gate_test.cpp - packets between two containers' lanes and a network card, each of which the test plays: what goes
// through, as what, and what does not.
#include "partitions/uplink/world_test.hpp"

#include <gtest/gtest.h>

namespace uplink {
namespace {

using namespace test;
namespace flag = net::tcp_flag;
using net::Verdict;

struct UplinkGate : testing::Test {
    World world{two_containers()};
    Far& web_end = world.fars[0];
    Far& db_end = world.fars[1];

    UplinkGate() { // the gateway has said where it is
        Bytes arp(28);
        put(arp, 0, 0x00010800, 4);
        put(arp, 4, 0x06040001, 4);
        for (std::size_t i = 0; i < 6; ++i)
            arp[8 + i] = std::byte{gateway_mac[i]};
        put(arp, 14, gateway, 4);
        put(arp, 24, own, 4);
        give(frame_of(arp, 0x0806, all_macs));
        outside.sent.clear();
    }
    static void give(const Bytes& frame) {
        outside.arriving.push_back(frame);
        poll_all();
    }
    static void say(const Bytes& packet) { give(frame_of(with_sums(packet))); }
    static void send(Far& from, const Bytes& packet) {
        ASSERT_TRUE(from.put_into_lane(packet));
        poll_all();
    }
    static Bytes next() { // the packet of the next frame that the card sent
        if (outside.sent.empty()) {
            ADD_FAILURE() << "no frame came";
            return Bytes(40);
        }
        const Bytes frame = outside.sent.front();
        outside.sent.pop_front();
        EXPECT_EQ(get(frame, 12, 2), 0x0800u);
        for (std::size_t i = 0; i < 6; ++i)
            EXPECT_EQ(get(frame, i, 1), gateway_mac[i]);
        return packet_of(frame);
    }
    static Bytes only(Far& at) {
        auto all = at.take_all();
        EXPECT_EQ(all.size(), 1u);
        return all.empty() ? Bytes(40) : all.front();
    }
    // `web`'s connection from port 40000; the port that it has outside.
    std::uint16_t connect() {
        send(web_end, segment(web, 40000, far_away, 443, flag::syn));
        const auto port = static_cast<std::uint16_t>(get(next(), 20, 2));
        say(segment(far_away, 443, own, port, flag::syn | flag::acknowledge));
        EXPECT_EQ(get(only(web_end), 22, 2), 40000u);
        return port;
    }
    [[nodiscard]] std::uint64_t refused(unsigned which, Verdict why) const {
        return world.wires[which].refused[static_cast<std::size_t>(why)];
    }
    static std::uint64_t refused_there(Verdict why) {
        return refused_outside()[static_cast<std::size_t>(why)];
    }
};

TEST_F(UplinkGate, AConnectionGoesOutUnderTheAddressOutsideAndComesBack) {
    send(web_end, segment(web, 40000, far_away, 443, flag::syn)); // without sums, as in a lane
    const Bytes out = next();
    EXPECT_TRUE(sums_are_right(out));
    EXPECT_EQ(get(out, 12, 4), own);
    EXPECT_EQ(get(out, 16, 4), far_away);
    EXPECT_EQ(get(out, 20, 4), 40000u << 16 | 443);
    say(segment(far_away, 443, own, 40000, flag::syn | flag::acknowledge));
    const Bytes in = only(web_end);
    EXPECT_TRUE(sums_are_right(in));
    EXPECT_EQ(get(in, 12, 4), far_away);
    EXPECT_EQ(get(in, 16, 4), web);
    EXPECT_EQ(get(in, 20, 4), 443u << 16 | 40000);
    EXPECT_GT(web_end.rings, 0u);
    EXPECT_TRUE(db_end.take_all().empty());
    EXPECT_EQ(figures_of(world.wires[0]).view(),
              "web: out 1 packets 40 bytes, in 1 packets 40 bytes, no_room=0 no_way=0");
}

TEST_F(UplinkGate, WhatNoRuleAdmitsIsRefusedCountedAndNoted) {
    for (unsigned i = 0; i < 1000; ++i)
        send(web_end, segment(web, 40000, far_away, 22, flag::syn));
    EXPECT_TRUE(outside.sent.empty());
    EXPECT_EQ(refused(0, Verdict::no_rule), 1000u);
    const std::string said =
        "uplink=no_rule container=web protocol=6 from=100.64.77.2:40000 to=198.51.100.7:22";
    EXPECT_EQ(host::state().notes, std::vector<std::string>{said});
    host::state().now += 1'000'000'000;
    send(db_end, datagram(db, 1, far_away, 53));
    send(web_end, segment(web, 40000, far_away, 22, flag::syn));
    ASSERT_EQ(host::state().notes.size(), 3u);
    EXPECT_EQ(host::state().notes[2], said + " more=999");
}

TEST_F(UplinkGate, NobodySendsAsAnother) {
    send(web_end, segment(db, 40000, far_away, 443, flag::syn));
    send(web_end, segment(own, 40000, far_away, 443, flag::syn));
    send(web_end, segment(inside, 40000, far_away, 443, flag::syn));
    EXPECT_TRUE(outside.sent.empty());
    EXPECT_EQ(refused(0, Verdict::source), 3u);
}

TEST_F(UplinkGate, ContainersDoNotReachEachOtherThroughIt) {
    send(db_end, segment(db, 40000, web, 80, flag::syn));
    send(db_end, segment(db, 40000, own, 8080, flag::syn)); // nor by way of what is published
    send(db_end, segment(db, 40000, inside, 80, flag::syn));
    EXPECT_TRUE(outside.sent.empty());
    EXPECT_TRUE(web_end.take_all().empty());
    EXPECT_EQ(refused(1, Verdict::target), 3u);
}

TEST_F(UplinkGate, APublishedPortIsItsContainers) {
    say(segment(far_away, 5000, own, 8080, flag::syn));
    const Bytes in = only(web_end);
    EXPECT_EQ(get(in, 16, 4), web);
    EXPECT_EQ(get(in, 20, 4), 5000u << 16 | 80);
    EXPECT_TRUE(sums_are_right(in));
    send(web_end, segment(web, 80, far_away, 5000, flag::syn | flag::acknowledge));
    const Bytes out = next();
    EXPECT_EQ(get(out, 12, 4), own);
    EXPECT_EQ(get(out, 20, 4), 8080u << 16 | 5000);
    EXPECT_TRUE(sums_are_right(out));
}

TEST_F(UplinkGate, WhatIsNotPublishedIsDroppedAndNotedSeldom) {
    for (std::uint16_t port = 1; port < 500; ++port)
        say(segment(far_away, 5000, own, port, flag::syn));
    say(segment(far_away, 5000, own, 80, flag::syn));
    Bytes echo = ip(net::protocol::icmp, 16, far_away, own);
    put(echo, 20, 0x0800, 2);
    say(echo);
    EXPECT_TRUE(web_end.take_all().empty());
    EXPECT_TRUE(outside.sent.empty());
    EXPECT_EQ(refused_there(Verdict::no_state), 500u);
    EXPECT_EQ(refused_there(Verdict::no_rule), 1u);
    EXPECT_EQ(host::state().notes.size(), 1u);
    host::state().now += 60'000'000'000;
    say(segment(far_away, 5000, own, 80, flag::syn));
    ASSERT_EQ(host::state().notes.size(), 2u);
    EXPECT_EQ(host::state().notes[1],
              "uplink=no_state protocol=6 from=198.51.100.7:5000 to=192.0.2.10:80 more=500");
}

TEST_F(UplinkGate, NobodyOutsideHasAnAddressOfOurs) {
    for (const std::uint32_t source : {web, db, inside, own, 0x7F000001u, 0xE0000001u})
        say(segment(source, 5000, own, 8080, flag::syn));
    EXPECT_TRUE(web_end.take_all().empty());
    EXPECT_EQ(refused_there(Verdict::source), 6u);
    say(segment(far_away, 5000, web, 80, flag::syn)); // nor is one reached by it
    EXPECT_TRUE(web_end.take_all().empty());
    EXPECT_EQ(refused_there(Verdict::target), 1u);
}

TEST_F(UplinkGate, NamesAreAskedOfTheServerOutside) {
    send(web_end, datagram(web, 40001, inside, 53));
    // A neighbour's address is asked for first.
    ASSERT_EQ(outside.sent.size(), 1u);
    EXPECT_EQ(get(outside.sent.front(), 12, 2), 0x0806u);
    Bytes answer(28);
    put(answer, 0, 0x00010800, 4);
    put(answer, 4, 0x06040002, 4);
    for (std::size_t i = 0; i < 6; ++i) {
        answer[8 + i] = std::byte{gateway_mac[i]};
        answer[18 + i] = std::byte{own_mac[i]};
    }
    put(answer, 14, server, 4);
    put(answer, 24, own, 4);
    outside.sent.clear();
    give(frame_of(answer, 0x0806));
    const Bytes out = next();
    EXPECT_EQ(get(out, 12, 4), own);
    EXPECT_EQ(get(out, 16, 4), server);
    EXPECT_TRUE(sums_are_right(out));
    say(datagram(server, 53, own, static_cast<std::uint16_t>(get(out, 20, 2))));
    const Bytes in = only(web_end);
    EXPECT_EQ(get(in, 12, 4), inside);
    EXPECT_EQ(get(in, 16, 4), web);
    EXPECT_EQ(get(in, 22, 2), 40001u);
}

TEST_F(UplinkGate, AContainerThatBeginsAnewIsForgotten) {
    const std::uint16_t port = connect();
    web_end.begin();
    send(web_end, segment(web, 41000, far_away, 443, flag::syn));
    (void)next();
    say(segment(far_away, 443, own, port, flag::acknowledge, 100)); // to the one before
    EXPECT_TRUE(web_end.take_all().empty());
    EXPECT_EQ(refused_there(Verdict::no_state), 1u);
}

TEST_F(UplinkGate, WhatCameForOneBeforeItDoesNotReachTheNext) {
    const std::uint16_t port = connect();
    web_end.begin(); // and looks, but says nothing yet
    EXPECT_TRUE(web_end.take_all().empty());
    say(segment(far_away, 443, own, port, flag::acknowledge, 100));
    EXPECT_TRUE(web_end.take_all().empty());
}

TEST_F(UplinkGate, TheLaneOfAContainerThatEndedHoldsNobodyUp) {
    const std::uint16_t port = connect();
    for (unsigned i = 0; i < 100; ++i) // nobody reads them
        say(segment(far_away, 443, own, port, flag::acknowledge, 1000));
    EXPECT_GT(world.wires[0].no_room, 0u);
    send(db_end, segment(db, 1, far_away, 25, flag::syn));
    EXPECT_EQ(get(next(), 22, 2), 25u);
}

TEST_F(UplinkGate, NothingLongerThanAFrameReachesALane) {
    const std::uint16_t port = connect();
    const auto pieces_of = [](const Bytes& whole, std::size_t first) {
        std::vector<Bytes> out;
        for (std::size_t at = net::ip_header; at < whole.size(); at += first) {
            const std::size_t bytes = std::min(first, whole.size() - at);
            Bytes piece(whole.begin(), whole.begin() + net::ip_header);
            piece.insert(piece.end(), whole.begin() + static_cast<std::ptrdiff_t>(at),
                         whole.begin() + static_cast<std::ptrdiff_t>(at + bytes));
            put(piece, 2, static_cast<std::uint32_t>(piece.size()), 2);
            const bool more = at + bytes < whole.size();
            put(piece, 6, (more ? 0x2000u : 0) | static_cast<std::uint32_t>((at - net::ip_header) / 8), 2);
            put(piece, 10, 0, 2);
            put(piece, 10, ~net::sum_words(std::span{piece}.first(net::ip_header)), 2);
            out.push_back(piece);
        }
        return out;
    };
    Bytes small = segment(far_away, 443, own, port, flag::acknowledge, 1000);
    for (const Bytes& piece : pieces_of(with_sums(small), 512))
        give(frame_of(piece));
    EXPECT_EQ(only(web_end).size(), 1040u);
    Bytes large = segment(far_away, 443, own, port, flag::acknowledge, 2000);
    put(large, 4, 1, 2);
    for (const Bytes& piece : pieces_of(with_sums(large), 1024))
        give(frame_of(piece));
    EXPECT_TRUE(web_end.take_all().empty());
    EXPECT_EQ(refused_there(Verdict::malformed), 1u);
    send(web_end, segment(web, 40000, far_away, 443, flag::acknowledge, 1461)); // nor the card
    EXPECT_TRUE(outside.sent.empty());
    EXPECT_EQ(refused(0, Verdict::malformed), 1u);
}

TEST_F(UplinkGate, WhileTheCardHasNoRoomLanesKeepWhatTheyHave) {
    outside.room = false;
    for (std::uint16_t port = 1; port <= 200; ++port)
        send(db_end, segment(db, port, far_away, 25, flag::syn));
    EXPECT_TRUE(outside.sent.empty());
    EXPECT_TRUE(outside.tells_of_room);
    outside.room = true;
    poll_all();
    EXPECT_FALSE(outside.tells_of_room);
    EXPECT_EQ(outside.sent.size(), 200u);
    EXPECT_EQ(world.wires[1].no_way, 0u);
}

TEST_F(UplinkGate, ALaneThatLiesStopsNoOther) {
    auto& header = const_cast<caisson_lane_header&>(world.wires[0].end.receive->header);
    for (const std::uint64_t lie : {std::uint64_t{7}, ~std::uint64_t{7}, std::uint64_t{1} << 40}) {
        header.head = lie;
        poll_all();
        send(db_end, segment(db, static_cast<std::uint16_t>(lie % 1000 + 1), far_away, 25, flag::syn));
        (void)next();
    }
    EXPECT_GT(world.wires[0].end.lies, 0u);
    web_end.begin(); // a life that has not lied
    send(web_end, segment(web, 40000, far_away, 443, flag::syn));
    (void)next();
}

// As many packets as come in a second, and what waits then.
TEST_F(UplinkGate, ARateIsKept) {
    send(db_end, segment(db, 1, far_away, 25, flag::syn));
    const auto went = [] {
        std::uint64_t bytes = 0;
        for (const Bytes& frame : outside.sent)
            bytes += frame.size() - frame_header;
        return static_cast<double>(bytes);
    };
    for (unsigned i = 0; i < 1000; ++i) {
        send(db_end, segment(db, 1, far_away, 25, flag::acknowledge, 1000));
        host::state().now += 1'000'000;
    }
    EXPECT_NEAR(went(), 100'000 + 10'000, 2'000); // and what was saved
    EXPECT_GT(refused(1, Verdict::rate), 800u);
    EXPECT_TRUE(host::state().notes.empty());
    const double before = went();
    host::state().now += 1'000'000'000;
    poll_all();
    EXPECT_NEAR(went() - before, 96 * 1000, 1040); // as long as a packet waits at this rate
    EXPECT_EQ(next_due(), Waiting::never);
}

TEST_F(UplinkGate, WhatWaitsForItsRateGoesInItsOrderAndTime) {
    send(db_end, segment(db, 1, far_away, 25, flag::syn));
    outside.sent.clear();
    for (std::uint8_t i = 0; i < 40; ++i)
        send(db_end, segment(db, 1, far_away, 25, flag::acknowledge, 1000 + i));
    EXPECT_EQ(outside.sent.size(), 9u);
    EXPECT_EQ(refused(1, Verdict::rate), 0u);
    send(web_end, segment(web, 40000, far_away, 443, flag::syn)); // it has no rate
    EXPECT_EQ(outside.sent.size(), 10u);
    while (next_due() != Waiting::never) {
        ASSERT_GT(next_due(), host::state().now);
        const std::size_t before = outside.sent.size();
        host::state().now = next_due();
        poll_all();
        ASSERT_EQ(outside.sent.size(), before + 1);
        ASSERT_EQ(packet_of(outside.sent.back()).size(),
                  net::ip_header + net::tcp_header + 1000 + before - 1);
    }
    EXPECT_EQ(outside.sent.size(), 41u);
}

TEST_F(UplinkGate, ARateHoldsForWhatEntersToo) {
    send(db_end, segment(db, 1, far_away, 25, flag::syn));
    const auto outer = static_cast<std::uint16_t>(get(next(), 20, 2));
    for (unsigned i = 0; i < 30; ++i)
        say(segment(far_away, 25, own, outer, flag::acknowledge, 1000));
    EXPECT_EQ(db_end.take_all().size(), 9u);
    host::state().now += 100'000'000;
    poll_all();
    EXPECT_EQ(db_end.take_all().size(), 10u); // 100,000 bytes a second
    db_end.begin();                           // the rest is nobody's any more
    send(db_end, segment(db, 2, far_away, 25, flag::syn));
    host::state().now += 1'000'000'000;
    poll_all();
    EXPECT_EQ(next_due(), Waiting::never);
    EXPECT_TRUE(db_end.take_all().empty());
}

TEST_F(UplinkGate, ACardThatIsFullLosesNothingThatWaits) {
    send(db_end, segment(db, 1, far_away, 25, flag::syn));
    for (unsigned i = 0; i < 30; ++i)
        send(db_end, segment(db, 1, far_away, 25, flag::acknowledge, 1000));
    const std::size_t before = outside.sent.size();
    outside.room = false;
    host::state().now += 600'000'000;
    poll_all();
    EXPECT_EQ(outside.sent.size(), before);
    EXPECT_EQ(next_due(), Waiting::never); // the card says when
    EXPECT_TRUE(outside.tells_of_room);
    outside.room = true;
    poll_all();
    EXPECT_EQ(outside.sent.size(), 31u);
    EXPECT_EQ(world.wires[1].no_way, 0u);
}

TEST_F(UplinkGate, AFloodTakesNobodyElsesConnections) {
    std::vector<std::uint16_t> ports;
    for (std::uint16_t port = 1; port <= 100; ++port) {
        send(web_end, segment(web, port, far_away, 443, flag::syn));
        ports.push_back(static_cast<std::uint16_t>(get(next(), 20, 2)));
        say(segment(far_away, 443, own, ports.back(), flag::syn | flag::acknowledge));
    }
    EXPECT_EQ(web_end.take_all().size(), ports.size());
    for (std::uint16_t port = 1; port <= 3000; ++port) {
        send(db_end, segment(db, port, far_away, 443, flag::syn));
        host::state().now += 1'000'000;
    }
    EXPECT_GT(outside.sent.size(), 2 * connections_each);
    for (const std::uint16_t port : ports)
        say(segment(far_away, 443, own, port, flag::acknowledge, 10));
    EXPECT_EQ(web_end.take_all().size(), ports.size());
}

TEST_F(UplinkGate, FramesToOthersAndToEverybodyAreNotItsOwn) {
    const Bytes packet = with_sums(segment(far_away, 5000, own, 8080, flag::syn));
    give(frame_of(packet, 0x0800, all_macs));
    give(frame_of(packet, 0x0800, gateway_mac));
    EXPECT_TRUE(web_end.take_all().empty());
    give(frame_of(packet));
    EXPECT_EQ(web_end.take_all().size(), 1u);
}

TEST_F(UplinkGate, BytesOfNoMeaningAreCounted) {
    for (const std::size_t size : {std::size_t{1}, std::size_t{19}, std::size_t{20}, std::size_t{40}})
        send(web_end, Bytes(size));
    EXPECT_EQ(refused(0, Verdict::malformed), 4u);
    for (const std::size_t size : {std::size_t{0}, std::size_t{13}, std::size_t{14}, std::size_t{60}})
        give(Bytes(size));
    EXPECT_EQ(world.station.not_packets, 4u);
    Bytes damaged = with_sums(segment(far_away, 5000, own, 8080, flag::syn));
    put(damaged, 10, get(damaged, 10, 2) ^ 1, 2);
    give(frame_of(damaged));
    EXPECT_EQ(world.station.not_packets, 5u);
    EXPECT_TRUE(web_end.take_all().empty());
}

} // namespace
} // namespace uplink
