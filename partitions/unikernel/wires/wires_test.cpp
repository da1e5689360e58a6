// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/wires_test.cpp - the kernel's sockets over lwIP and lanes, against a peer that the test plays
// segment by segment: what it may say, and what it may not.
#include "partitions/net/words_test.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"

#include <deque>
#include <vector>

namespace uk::wires {
namespace {

using net::IpAddress;
using ::net::Verdict;
using net::test::inet_address;
namespace flag = ::net::tcp_flag;

constexpr std::uint32_t own = 0x64404D02, peer = 0x64404D03, diode = 0x64404D04;
constexpr std::uint32_t ring_bytes = CAISSON_LANE_RING_MIN;
constexpr int again = 11, acces = 13, pipe_error = 32, msgsize = 90, netunreach = 101, connreset = 104,
              timedout = 110, connrefused = 111, hostunreach = 113, inprogress = 115;

// The other partition, and the lanes between.
struct Far {
    std::array<std::vector<std::uint64_t>, 2> memory{
        std::vector<std::uint64_t>((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8),
        std::vector<std::uint64_t>((CAISSON_LANE_HEADER_BYTES + ring_bytes) / 8)};
    std::uint64_t life = 0;
    unsigned rings = 0; // that reached it
    caisson_end end{};

    caisson_lane* lane(unsigned which) { return reinterpret_cast<caisson_lane*>(memory[which].data()); }
    void begin() { // as the hypervisor and a new kernel do
        std::fill(memory[1].begin(), memory[1].end(), 0);
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
};
Far far, reader; // the peer, and the reading end of a one-way wire
std::array<Link, 2> link_list;
const std::array<::net::Peer, 2> peer_list{{{peer}, {diode}}};
// The peer reaches TCP and UDP 6000 to 6099 here, and pings; this end reaches 7000 to 7099 there, and UDP 514 of the diode's reader.
std::array<::net::Rule, 6> rule_list{{{0, true, ::net::protocol::tcp, 6000, 6099},
                                      {0, true, ::net::protocol::udp, 6000, 6099},
                                      {0, true, ::net::protocol::icmp, 0, 0xFFFF},
                                      {0, false, ::net::protocol::tcp, 7000, 7099},
                                      {0, false, ::net::protocol::udp, 7000, 7099},
                                      {1, false, ::net::protocol::udp, 514, 514}}};

void start_once() {
    static bool started = false;
    if (std::exchange(started, true))
        return;
    far.begin();
    reader.life = 1;
    reader.end.receive = reader.lane(0);
    reader.end.ring_bytes = ring_bytes;
    reader.end.life = 1;
    reader.end.peer_state = [](void*) { return 1ull; };
    const auto fill = [](Link& link, Far& other, bool both) {
        link.end.send = other.lane(0);
        link.end.receive = both ? other.lane(1) : nullptr;
        link.end.ring_bytes = ring_bytes;
        link.end.life = 1;
        link.end.peer_state = [](void* of) {
            return static_cast<unsigned long long>(static_cast<Far*>(of)->life);
        };
        link.end.ring = [](void* of) { ++static_cast<Far*>(of)->rings; };
        link.end.context = &other;
    };
    fill(link_list[0], far, true);
    fill(link_list[1], reader, false);
    ASSERT_TRUE(start({own, 24, link_list, peer_list, rule_list}));
}

using ::net::test::Bytes;
using ::net::test::get;
using ::net::test::put;
Bytes ip(std::uint8_t protocol, std::size_t payload, std::uint32_t source = peer,
         std::uint32_t target = own) {
    Bytes out(20 + payload);
    put(out, 0, 0x45, 1);
    put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
    put(out, 8, 64 << 8 | protocol, 2);
    put(out, 12, source, 4);
    put(out, 16, target, 4);
    return out;
}
Bytes datagram(std::uint16_t from, std::uint16_t to, std::string_view text) {
    Bytes out = ip(17, 8 + text.size());
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 24, static_cast<std::uint32_t>(8 + text.size()), 2);
    std::memcpy(out.data() + 28, text.data(), text.size());
    return out;
}

struct Segment {
    std::uint16_t from = 0, to = 0;
    std::uint32_t sequence = 0, acknowledged = 0;
    std::uint8_t flags = 0;
    std::string data;
    [[nodiscard]] bool has(std::uint8_t which) const { return (flags & which) == which; }
};

struct Wires : net::test::SocketTest {
    Wires() {
        start_once();
        (void)take_all();
        heap_before = fs::host::state().heap_objects;
        allowed_objects = 1000; // lwIP's, which stay until their time is over
    }

    void give(const Bytes& packet) {
        ASSERT_NE(caisson_end_send(&far.end, packet.data(), static_cast<unsigned>(packet.size()), 0), 0);
        caisson_end_flush(&far.end);
        while (poll()) {
        }
    }
    static std::deque<Bytes> take_all(Far& from = far) {
        std::deque<Bytes> all;
        Bytes packet(CAISSON_LANE_PACKET_MAX);
        unsigned flags = 0;
        while (const unsigned bytes = caisson_end_receive(&from.end, packet.data(), &flags))
            all.emplace_back(packet.begin(), packet.begin() + bytes);
        return all;
    }
    static Segment read(const Bytes& packet) {
        EXPECT_EQ(get(packet, 9, 1), 6u);
        EXPECT_EQ(get(packet, 12, 4), own);
        EXPECT_EQ(get(packet, 16, 4), peer);
        const std::size_t header = 20 + (get(packet, 32, 1) >> 4) * 4;
        return {static_cast<std::uint16_t>(get(packet, 20, 2)),
                static_cast<std::uint16_t>(get(packet, 22, 2)),
                get(packet, 24, 4),
                get(packet, 28, 4),
                static_cast<std::uint8_t>(get(packet, 33, 1)),
                std::string(reinterpret_cast<const char*>(packet.data()) + header, packet.size() - header)};
    }
    Segment next() {
        if (waiting.empty())
            waiting = take_all();
        if (waiting.empty()) {
            ADD_FAILURE() << "no segment came";
            return {};
        }
        const Segment segment = read(waiting.front());
        waiting.pop_front();
        return segment;
    }
    bool nothing() { return waiting.empty() && (waiting = take_all()).empty(); }
    void say(const Segment& segment, std::uint16_t window = 60000) {
        Bytes out = ip(6, 20 + segment.data.size());
        put(out, 20, segment.from, 2);
        put(out, 22, segment.to, 2);
        put(out, 24, segment.sequence, 4);
        put(out, 28, segment.acknowledged, 4);
        put(out, 32, 0x5000 | segment.flags, 2);
        put(out, 34, window, 2);
        std::memcpy(out.data() + 40, segment.data.data(), segment.data.size());
        give(out);
    }
    void pass_time(std::uint64_t milliseconds) {
        constexpr std::uint64_t step = 50;
        for (std::uint64_t i = 0; i < milliseconds; i += step) {
            net::host::now() += step * 1'000'000;
            net::host::run_timers();
        }
    }

    // A connection that the peer makes to `port`, where something listens; gives the accepted descriptor.
    struct Made {
        int descriptor;
        Segment last; // from the peer: what goes on, goes on from here
    };
    Made made_by_peer(int listener, std::uint16_t from, std::uint16_t port) {
        say({from, port, 1000, 0, flag::syn, ""});
        const Segment answer = next();
        EXPECT_TRUE(answer.has(flag::syn | flag::acknowledge));
        EXPECT_EQ(answer.acknowledged, 1001u);
        const Segment last{from, port, 1001, answer.sequence + 1, flag::acknowledge, ""};
        say(last);
        return {accept(listener), last};
    }
    int listener_at(std::uint16_t port) {
        const int listener = make(net::family::inet, net::Type::stream);
        EXPECT_EQ(bind(listener, inet_address(0, port)), 0);
        EXPECT_EQ(listen(listener), 0);
        return listener;
    }
    std::int32_t error_of(int descriptor) {
        std::int32_t value = -1;
        (void)net::get_option(at(descriptor), 1, 4, std::as_writable_bytes(std::span{&value, 1}));
        return value;
    }

    std::deque<Bytes> waiting;
};

TEST_F(Wires, APeerConnectsSendsAndEnds) {
    const int listener = listener_at(6000);
    auto [server, at_peer] = made_by_peer(listener, 40000, 6000);
    ASSERT_GE(server, 0);
    net::Address name;
    EXPECT_EQ(fs::test::code(at(server).kind->name(at(server), net::End::peer, name)), 0);
    EXPECT_EQ(*net::decode(name), (net::Endpoint{IpAddress::v4(peer), 40000}));
    EXPECT_EQ(receive(server), "error " + std::to_string(again));
    at_peer.data = "hello";
    say(at_peer);
    EXPECT_NE(ready(server) & net::in_events, 0u);
    EXPECT_EQ(receive(server), "hello");
    at_peer.sequence += 5;
    EXPECT_EQ(send(server, "answer"), 6);
    const Segment answer = next();
    EXPECT_EQ(answer.data, "answer");
    EXPECT_EQ(answer.acknowledged, at_peer.sequence);
    at_peer.data = "";
    at_peer.acknowledged += 6;
    at_peer.flags = flag::acknowledge | flag::fin;
    say(at_peer);
    EXPECT_EQ(receive(server), "");
    at_peer.sequence += 1;
    EXPECT_EQ(send(server, "still"), 5) << "half closed";
    Segment still = next();
    while (still.data.empty())
        still = next();
    EXPECT_EQ(still.data, "still");
    close(server);
    const Segment end = next();
    EXPECT_TRUE(end.has(flag::fin));
    at_peer.flags = flag::acknowledge;
    at_peer.acknowledged += 6;
    say(at_peer);
    EXPECT_TRUE(nothing());
    say(at_peer); // it is not known any more
    EXPECT_TRUE(next().has(flag::reset));
    close(listener);
}

TEST_F(Wires, ThisEndConnectsAndIsRefused) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(peer, 7000)), inprogress);
    EXPECT_EQ(ready(client) & net::out_events, 0u);
    const Segment syn = next();
    EXPECT_TRUE(syn.has(flag::syn));
    EXPECT_EQ(syn.to, 7000);
    say({7000, syn.from, 0, syn.sequence + 1, flag::reset | flag::acknowledge, ""});
    EXPECT_NE(ready(client) & fs::ready::error, 0u);
    EXPECT_EQ(connect(client, inet_address(peer, 7000)), connrefused);
    EXPECT_EQ(connect(client, inet_address(peer, 7001)), inprogress) << "it may try again";
    const Segment other = next();
    EXPECT_NE(other.sequence, syn.sequence);
    say({7001, other.from, 500, other.sequence + 1, flag::syn | flag::acknowledge, ""});
    EXPECT_EQ(connect(client, inet_address(peer, 7001)), 0);
    EXPECT_TRUE(next().has(flag::acknowledge));
    EXPECT_EQ(send(client, "x"), 1);
    EXPECT_EQ(next().data, "x");
    say({7001, other.from, 501, other.sequence + 2, flag::reset | flag::acknowledge, ""});
    EXPECT_EQ(receive(client), "error " + std::to_string(connreset));
    EXPECT_EQ(receive(client), "");
    EXPECT_EQ(send(client, "x"), -pipe_error);
}

TEST_F(Wires, WhatRulesDoNotAdmitIsAnErrorHereAndSilenceThere) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(peer, 80)), acces);
    EXPECT_EQ(connect(client, inet_address(0x64404D09, 7000)), hostunreach);
    EXPECT_EQ(connect(client, inet_address(0xC6336401, 7000)), netunreach);
    EXPECT_EQ(connect(client, inet_address(diode, 514)), acces) << "TCP, where a rule has UDP";
    const int socket = make(net::family::inet, net::Type::datagram);
    const net::Address forbidden = inet_address(peer, 53);
    EXPECT_EQ(send(socket, "x", 0, &forbidden), -acces);
    EXPECT_TRUE(nothing());
    const std::uint64_t before = firewall().dropped_inbound(Verdict::no_rule);
    const int listener = listener_at(6200);
    say({40000, 6200, 1, 0, flag::syn, ""});
    EXPECT_TRUE(nothing()) << "not even a reset";
    EXPECT_EQ(accept(listener), -again);
    EXPECT_EQ(firewall().dropped_inbound(Verdict::no_rule), before + 1);
}

TEST_F(Wires, NobodyListensAndTheBacklogIsFull) {
    say({40000, 6050, 1, 0, flag::syn, ""});
    EXPECT_TRUE(next().has(flag::reset | flag::acknowledge));
    const int listener = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(bind(listener, inet_address(own, 6051)), 0) << "the own address";
    EXPECT_EQ(listen(listener, 1), 0);
    unsigned answered = 0;
    for (std::uint16_t from = 41000; from < 41006; ++from) {
        say({from, 6051, 1, 0, flag::syn, ""});
        if (nothing())
            continue;
        const Segment answer = next();
        answered += answer.has(flag::syn) ? 1 : 0;
        say({from, 6051, 2, answer.sequence + 1, flag::acknowledge, ""});
    }
    EXPECT_EQ(answered, 2u);
    EXPECT_GE(accept(listener), 0);
    say({41007, 6051, 1, 0, flag::syn, ""});
    EXPECT_TRUE(next().has(flag::syn | flag::acknowledge)) << "there is room again";
    close(listener);
    say({41009, 6051, 1, 0, flag::syn, ""});
    while (!nothing())
        EXPECT_TRUE(next().has(flag::reset));
}

TEST_F(Wires, MuchDataWaitsForTheReaderAndAllOfItComes) {
    const int listener = listener_at(6001);
    auto [server, at_peer] = made_by_peer(listener, 40001, 6001);
    // Out: more than the peer takes at once.
    const std::string all(400'000, 'a');
    std::size_t given = 0, came = 0;
    for (unsigned turn = 0; turn < 200 && came < all.size(); ++turn) {
        const long sent = given < all.size() ? send(server, std::string_view{all}.substr(given)) : 0;
        given += sent > 0 ? static_cast<std::size_t>(sent) : 0;
        bool any = false;
        while (!nothing()) {
            const Segment segment = next();
            came += segment.data.size();
            at_peer.acknowledged = segment.sequence + static_cast<std::uint32_t>(segment.data.size());
            any = true;
        }
        if (any)
            say(at_peer, 40000);
    }
    EXPECT_EQ(came, all.size());
    EXPECT_NE(ready(server) & net::out_events, 0u);
    // In: as far as the window goes, which this peer has not scaled.
    std::size_t put_in = 0;
    at_peer.data = std::string(10'000, 'b');
    for (; put_in < 60'000; put_in += 10'000) {
        say(at_peer);
        at_peer.sequence += 10'000;
    }
    std::size_t got = 0;
    for (std::string text = receive(server, 7777); got < put_in && text[0] == 'b';
         text = receive(server, 7777))
        got += text.size();
    EXPECT_EQ(got, put_in);
    waiting.clear();
    close(server);
    close(listener);
}

TEST_F(Wires, UnreadBytesOrLingerZeroMakeAReset) {
    const int listener = listener_at(6002);
    auto [server, at_peer] = made_by_peer(listener, 40002, 6002);
    at_peer.data = "unread";
    say(at_peer);
    close(server);
    bool reset = false;
    while (!nothing())
        reset = next().has(flag::reset) || reset;
    EXPECT_TRUE(reset);
    close(listener);
}

TEST_F(Wires, SilenceEndsInATimeout) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(peer, 7002)), inprogress);
    unsigned tries = 0;
    for (unsigned second = 0; second < 200 && error_of(client) == 0; ++second) {
        tries += nothing() ? 0 : 1;
        waiting.clear();
        pass_time(1000);
        if ((ready(client) & fs::ready::error) != 0)
            break;
    }
    EXPECT_EQ(error_of(client), timedout);
    EXPECT_GE(tries, 5u);
}

TEST_F(Wires, AnotherLifeOfThePeerResetsWhatWasWithTheLast) {
    const int listener = listener_at(6003);
    auto [server, at_peer] = made_by_peer(listener, 40003, 6003);
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(peer, 7003)), inprogress);
    waiting.clear();
    (void)take_all();
    far.begin();
    while (poll()) {
    }
    EXPECT_EQ(receive(server), "error " + std::to_string(connreset));
    EXPECT_EQ(connect(client, inet_address(peer, 7003)), connreset);
    at_peer.data = "late";
    (void)take_all();
    say(at_peer);
    EXPECT_TRUE(nothing()) << "of the last life";
    auto [again_there, anew] = made_by_peer(listener, 40003, 6003);
    EXPECT_GE(again_there, 0);
}

TEST_F(Wires, DatagramsAndTheirErrors) {
    const int socket = make(net::family::inet, net::Type::datagram);
    EXPECT_EQ(bind(socket, inet_address(0, 6004)), 0);
    give(datagram(500, 6004, "question"));
    net::Incoming in;
    EXPECT_EQ(receive(socket, in), "question");
    EXPECT_EQ(*net::decode(in.from), (net::Endpoint{IpAddress::v4(peer), 500}));
    EXPECT_EQ(send(socket, "answer", 0, &in.from), 6);
    std::deque<Bytes> out = take_all();
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(get(out[0], 20, 2), 6004u);
    EXPECT_EQ(get(out[0], 22, 2), 500u);
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(out[0].data()) + 28, out[0].size() - 28), "answer");
    const net::Address to = inet_address(peer, 7004), forbidden = inet_address(peer, 53);
    EXPECT_EQ(send(socket, std::string(mtu - 28, 'x'), 0, &to), static_cast<long>(mtu) - 28);
    EXPECT_EQ(send(socket, std::string(mtu - 27, 'x'), 0, &to), -msgsize);
    EXPECT_EQ(send(socket, "x", 0, &forbidden), -acces);
    // Nobody is there: the peer hears it, and this end does from the peer.
    (void)take_all();
    give(datagram(501, 6005, "anyone?"));
    out = take_all();
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(get(out[0], 9, 1), 1u);
    EXPECT_EQ(get(out[0], 20, 2), 0x0303u);
    const int client = make(net::family::inet, net::Type::datagram);
    EXPECT_EQ(connect(client, to), 0);
    EXPECT_EQ(send(client, "x"), 1);
    const Bytes sent = take_all().front();
    Bytes error = ip(1, 8);
    put(error, 20, 0x0303, 2);
    error.insert(error.end(), sent.begin(), sent.begin() + 28);
    put(error, 2, static_cast<std::uint32_t>(error.size()), 2);
    give(error);
    EXPECT_EQ(receive(client), "error " + std::to_string(connrefused));
    EXPECT_EQ(receive(client), "error " + std::to_string(again));
}

TEST_F(Wires, AWireOfOneWayTakesDatagramsOnly) {
    const int socket = make(net::family::inet, net::Type::datagram);
    const net::Address to = inet_address(diode, 514), other = inet_address(diode, 515);
    EXPECT_EQ(send(socket, "line", 0, &to), 4);
    EXPECT_EQ(send(socket, "line", 0, &other), -acces);
    for (unsigned i = 0; i < 100; ++i)
        EXPECT_EQ(send(socket, std::string(9000, 'x'), 0, &to), 9000) << "it never waits";
    EXPECT_FALSE(take_all(reader).empty() && reader.end.lost == 0);
}

TEST_F(Wires, APingIsAnswered) {
    Bytes ping = ip(1, 8 + 4);
    put(ping, 20, 0x0800, 2);
    put(ping, 24, 0x12345678, 4);
    put(ping, 28, 0xCAFE, 4);
    give(ping);
    const std::deque<Bytes> out = take_all();
    ASSERT_EQ(out.size(), 1u);
    EXPECT_EQ(get(out[0], 20, 1), 0u);
    EXPECT_EQ(get(out[0], 24, 4), 0x12345678u);
    EXPECT_EQ(get(out[0], 28, 4), 0xCAFEu);
}

TEST_F(Wires, AFullLaneKeepsTcpsBytesAndSaysWhenThereIsRoom) {
    const int listener = listener_at(6006);
    auto [server, at_peer] = made_by_peer(listener, 40006, 6006);
    const int socket = make(net::family::inet, net::Type::datagram);
    const net::Address to = inet_address(peer, 7006);
    for (unsigned i = 0; i < 10; ++i) // the lane is full of these
        EXPECT_EQ(send(socket, std::string(9000, 'x'), 0, &to), 9000);
    EXPECT_GT(links()[0].no_room, 0u);
    EXPECT_EQ(send(server, std::string(500, 'y')), 500);
    std::size_t came = 0;
    for (unsigned turn = 0; turn < 10 && came < 500; ++turn) {
        for (const Bytes& packet : take_all())
            if (get(packet, 9, 1) == 6)
                came += read(packet).data.size();
        caisson_end_flush(&far.end);
        while (poll()) {
        }
    }
    EXPECT_EQ(came, 500u);
    EXPECT_TRUE(has_unsent()) << "the peer has not acknowledged it";
}

TEST_F(Wires, ALaneThatLiesIsNotReadAgain) {
    const std::uint64_t before = links()[0].end.lies;
    far.lane(1)->header.head = 3; // no multiple of 8
    while (poll()) {
    }
    EXPECT_EQ(links()[0].end.lies, before + 1);
    far.lane(1)->header.head = far.end.head;
    const Bytes packet = datagram(1, 6007, "x");
    (void)caisson_end_send(&far.end, packet.data(), static_cast<unsigned>(packet.size()), 0);
    while (poll()) {
    }
    EXPECT_TRUE(nothing());
    far.begin();
    give(packet);
    EXPECT_FALSE(take_all().empty()) << "a new life is believed";
}

} // namespace
} // namespace uk::wires
