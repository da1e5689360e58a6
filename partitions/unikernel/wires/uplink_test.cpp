// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/uplink_test.cpp - the kernel's sockets where the outside is behind a wire to the uplink, which the test plays
// packet by packet.
#include "partitions/net/words_test.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/interfaces.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <deque>
#include <vector>

namespace uk::wires {
namespace {

using ::net::test::Bytes, ::net::test::get, ::net::test::put;
using net::test::inet_address;
namespace flag = ::net::tcp_flag;

constexpr std::uint32_t own = 0x64404D02, peer = 0x64404D03, uplink = 0x64404D01, far_away = 0xC6336407;
constexpr std::uint32_t ring_bytes = CAISSON_LANE_RING_MIN;
constexpr int again = 11, acces = 13, msgsize = 90, connreset = 104, hostunreach = 113, inprogress = 115;

// The other end of a wire.
struct Far {
    using Memory = std::vector<std::uint64_t>;
    std::array<Memory, 2> memory{Memory((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8),
                                 Memory((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8)};
    std::uint64_t life = 0;
    caisson_end end{};

    caisson_lane* lane(unsigned which) { return reinterpret_cast<caisson_lane*>(memory[which].data()); }
    void end_life() { std::fill(memory[1].begin(), memory[1].end(), 0); }
    void begin() { // as the hypervisor and a new kernel do
        end_life();
        ++life;
        end = {};
        end.send = lane(1);
        end.receive = lane(0);
        end.ring_bytes = ring_bytes;
        end.life = life;
        end.peer_state = [](void*) { return 1ull; };
        end.ring = [](void*) {};
        caisson_end_open(&end);
    }
    void connect(Link& link) {
        link.end.send = lane(0);
        link.end.receive = lane(1);
        link.end.ring_bytes = ring_bytes;
        link.end.life = 1;
        link.end.peer_state = [](void* of) {
            return static_cast<unsigned long long>(static_cast<Far*>(of)->life);
        };
        link.end.ring = [](void*) {};
        link.end.context = this;
    }
    std::deque<Bytes> take_all() {
        std::deque<Bytes> all;
        Bytes packet(CAISSON_LANE_PACKET_MAX);
        unsigned flags = 0;
        while (const unsigned bytes = caisson_end_receive(&end, packet.data(), &flags))
            all.emplace_back(packet.begin(), packet.begin() + bytes);
        return all;
    }
};
Far far, neighbour;
std::array<Link, 1> links;
Link uplink_link;
std::vector<Outside::News> told;
std::array<::net::Peer, 2> peers{
    {{.address = peer},
     {.outside = true, .own = own, .inside = 0x64404D00, .inside_mask = 0xFFFFFF00, .gateway = uplink}}};
// TCP 80 is published; this end begins HTTPS and questions for names, and TCP to its neighbour.
std::array<::net::Rule, 4> rules{{{1, true, ::net::protocol::tcp, 80, 80},
                                  {1, false, ::net::protocol::tcp, 443, 443},
                                  {1, false, ::net::protocol::udp, 53, 53},
                                  {0, false, ::net::protocol::tcp, 0, 0xFFFF}}};
Outside outside{{.card = {}, .address = own, .prefix = 24, .gateway = uplink, .name_servers = {uplink}},
                &peers[1]};

struct Segment {
    std::uint16_t from, to;
    std::uint32_t sequence, acknowledged;
    std::uint8_t flags;
    std::uint16_t size; // the largest that may be sent to it, where it says so
};

struct Uplink : net::test::SocketTest {
    Uplink() {
        static const bool started = [] {
            far.begin();
            neighbour.begin();
            far.connect(uplink_link);
            neighbour.connect(links[0]);
            outside.tell = [](Outside::News news) { told.push_back(news); };
            return start({own, 24, links, peers, rules, &outside, &uplink_link});
        }();
        EXPECT_TRUE(started);
        run_outside_clock();
        (void)far.take_all();
        (void)neighbour.take_all();
        told.clear();
        heap_before = fs::host::state().heap_objects;
        allowed_objects = 1000; // lwIP's, which stay until their time is over
    }
    static Bytes ip(std::uint8_t protocol, std::size_t payload, std::uint32_t source) {
        Bytes out(20 + payload);
        put(out, 0, 0x45, 1);
        put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
        put(out, 8, 64 << 8 | protocol, 2);
        put(out, 12, source, 4);
        put(out, 16, own, 4);
        return out;
    }
    static void give(const Bytes& packet, Far& from = far) {
        ASSERT_NE(caisson_end_send(&from.end, packet.data(), static_cast<unsigned>(packet.size()), 0), 0);
        caisson_end_flush(&from.end);
        while (poll()) {
        }
    }
    static void say(const Segment& segment, std::uint32_t source = far_away, Far& from = far) {
        Bytes out = ip(6, 20, source);
        put(out, 20, segment.from, 2);
        put(out, 22, segment.to, 2);
        put(out, 24, segment.sequence, 4);
        put(out, 28, segment.acknowledged, 4);
        put(out, 32, 0x5000u | segment.flags, 2);
        put(out, 34, 60000, 2);
        give(out, from);
    }
    static Segment next(std::uint32_t target = far_away, Far& at = far) {
        const auto all = at.take_all();
        if (all.empty()) {
            ADD_FAILURE() << "no segment came";
            return {};
        }
        const Bytes& packet = all.front();
        EXPECT_EQ(get(packet, 12, 4), own);
        EXPECT_EQ(get(packet, 16, 4), target);
        const bool has_size = packet.size() >= 44 && get(packet, 40, 2) == 0x0204;
        return {static_cast<std::uint16_t>(get(packet, 20, 2)),
                static_cast<std::uint16_t>(get(packet, 22, 2)),
                get(packet, 24, 4),
                get(packet, 28, 4),
                static_cast<std::uint8_t>(get(packet, 33, 1)),
                static_cast<std::uint16_t>(has_size ? get(packet, 42, 2) : 0)};
    }
    int connected() {
        const int client = make(net::family::inet, net::Type::stream);
        EXPECT_EQ(connect(client, inet_address(far_away, 443)), inprogress);
        const Segment first = next();
        EXPECT_EQ(first.flags, flag::syn);
        say({443, first.from, 7000, first.sequence + 1, flag::syn | flag::acknowledge, 0});
        EXPECT_EQ(next().flags, flag::acknowledge);
        return client;
    }
};

TEST_F(Uplink, AConnectionOutsideGoesOverIt) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(far_away, 443)), inprogress);
    EXPECT_TRUE(neighbour.take_all().empty());
    EXPECT_EQ(next().size, 1460) << "no segment is longer than what a card carries";
}

TEST_F(Uplink, RulesAndAddressesAreLookedAtHereToo) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(far_away, 22)), acces);
    EXPECT_EQ(connect(client, inet_address(0x64404D09, 443)), hostunreach) << "no neighbour, and not outside";
    const int listener = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(bind(listener, inet_address(0, 81)), 0);
    EXPECT_EQ(listen(listener), 0);
    const auto before = firewall().dropped_inbound(::net::Verdict::no_rule);
    say({5000, 81, 1000, 0, flag::syn, 0});
    EXPECT_EQ(firewall().dropped_inbound(::net::Verdict::no_rule), before + 1);
    const auto sources = firewall().dropped_inbound(::net::Verdict::source);
    say({5000, 80, 1000, 0, flag::syn, 0}, peer); // as a neighbour, over the wire to the uplink
    say({5000, 80, 1000, 0, flag::syn, 0}, own);
    EXPECT_EQ(firewall().dropped_inbound(::net::Verdict::source), sources + 2);
    EXPECT_TRUE(far.take_all().empty());
}

TEST_F(Uplink, ANeighbourIsReachedByItsOwnWire) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(peer, 443)), inprogress);
    EXPECT_TRUE(far.take_all().empty());
    EXPECT_EQ(next(peer, neighbour).size, 16344);
}

TEST_F(Uplink, APublishedPortIsReached) {
    const int listener = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(bind(listener, inet_address(0, 80)), 0);
    EXPECT_EQ(listen(listener), 0);
    say({5000, 80, 1000, 0, flag::syn, 0});
    const Segment answer = next();
    EXPECT_EQ(answer.flags, flag::syn | flag::acknowledge);
    EXPECT_EQ(answer.to, 5000);
    EXPECT_EQ(answer.size, 1460);
    say({5000, 80, 1001, answer.sequence + 1, flag::acknowledge, 0});
    EXPECT_GE(accept(listener), 0);
}

TEST_F(Uplink, NamesAreAskedOfIt) {
    const int socket = make(net::family::inet, net::Type::datagram);
    EXPECT_EQ(connect(socket, inet_address(uplink, 53)), 0);
    EXPECT_EQ(send(socket, "who?"), 4);
    const auto asked = far.take_all();
    ASSERT_EQ(asked.size(), 1u);
    EXPECT_EQ(get(asked.front(), 16, 4), uplink);
    Bytes answer = ip(17, 8 + 4, uplink);
    put(answer, 20, 53, 2);
    put(answer, 22, get(asked.front(), 20, 2), 2);
    put(answer, 24, 12, 2);
    std::memcpy(answer.data() + 28, "him!", 4);
    give(answer);
    EXPECT_EQ(receive(socket, 100), "him!");
    EXPECT_EQ(send(socket, std::string(1473, 'x')), -msgsize);
}

TEST_F(Uplink, WhenItBeginsAnewConnectionsOutsideEnd) {
    const int client = connected();
    const int inside = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(inside, inet_address(peer, 9000)), inprogress);
    const Segment first = next(peer, neighbour);
    say({9000, first.from, 1, first.sequence + 1, flag::syn | flag::acknowledge, 0}, peer, neighbour);
    far.begin();
    run_outside_clock();
    EXPECT_EQ(receive(client), "error " + std::to_string(connreset));
    EXPECT_EQ(receive(inside), "error " + std::to_string(again));
}

// The line outside loses and reorders, a wire does not: a peer that says otherwise only has to say it again.
TEST_F(Uplink, WhatComesBeforeItsTimeIsKeptFromOutsideOnly) {
    const auto data = [](std::uint16_t from, std::uint16_t to, std::uint32_t sequence,
                         std::uint32_t acknowledged, std::uint32_t source, std::string_view text) {
        Bytes out = ip(6, 20 + text.size(), source);
        put(out, 20, from, 2);
        put(out, 22, to, 2);
        put(out, 24, sequence, 4);
        put(out, 28, acknowledged, 4);
        put(out, 32, 0x5000u | flag::acknowledge, 2);
        put(out, 34, 60000, 2);
        std::memcpy(out.data() + 40, text.data(), text.size());
        return out;
    };
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(far_away, 443)), inprogress);
    const Segment first = next();
    say({443, first.from, 7000, first.sequence + 1, flag::syn | flag::acknowledge, 0});
    give(data(443, first.from, 7004, first.sequence + 1, far_away, "last"));
    EXPECT_EQ(receive(client), "error " + std::to_string(again));
    give(data(443, first.from, 7001, first.sequence + 1, far_away, "at "));
    EXPECT_EQ(receive(client), "at last");
    const int inside = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(inside, inet_address(peer, 9001)), inprogress);
    const Segment second = next(peer, neighbour);
    say({9001, second.from, 1, second.sequence + 1, flag::syn | flag::acknowledge, 0}, peer, neighbour);
    give(data(9001, second.from, 5, second.sequence + 1, peer, "last"), neighbour);
    give(data(9001, second.from, 2, second.sequence + 1, peer, "at "), neighbour);
    EXPECT_EQ(receive(inside), "at ");
}

TEST_F(Uplink, ProgramsSeeItAsEth0ThatIsUpWhileItIs) {
    const net::Traffic before = net::interfaces().back().received;
    say({5000, 81, 1000, 0, flag::syn, 0});
    const net::Interface eth0 = net::interfaces().back();
    EXPECT_EQ(eth0.received.packets, before.packets + 1);
    EXPECT_EQ(eth0.received.bytes, before.bytes + 40);
    EXPECT_EQ(eth0.name, "eth0");
    EXPECT_EQ(eth0.mtu, 1500u);
    EXPECT_EQ(eth0.v4.v4_value(), own);
    EXPECT_TRUE(eth0.has_gateway);
    EXPECT_EQ(eth0.gateway.v4_value(), uplink);
    EXPECT_EQ(eth0.flags & net::flags_running, net::flags_running);
    far.end_life();
    run_outside_clock();
    EXPECT_EQ(told, std::vector{Outside::News::link});
    EXPECT_EQ(net::interfaces().back().flags & net::flags_running, 0u);
    far.begin();
    run_outside_clock();
    EXPECT_EQ(told.size(), 2u);
    EXPECT_EQ(net::interfaces().back().flags & net::flags_running, net::flags_running);
}

} // namespace
} // namespace uk::wires
