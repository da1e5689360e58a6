// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/outside_test.cpp - the kernel's sockets over a network card, against a world that the test plays frame
// by frame.
#include "partitions/net/checksum.hpp"
#include "partitions/net/words_test.hpp"
#include "partitions/unikernel/net/describe.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/interfaces.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <deque>
#include <utility>
#include <vector>

namespace uk::wires {
namespace {

using net::IpAddress;
using ::net::Verdict;
using net::test::inet_address;
namespace flag = ::net::tcp_flag;
using ::net::test::Bytes;
using Station = std::array<std::uint8_t, 6>;

constexpr std::uint32_t own = 0xC000020A, neighbour = 0xC0000214, gateway = 0xC0000201, far_away = 0xC6336407;
constexpr int again = 11, acces = 13, msgsize = 90, netunreach = 101, connrefused = 111, inprogress = 115;
constexpr Station own_station{2, 0, 0, 0, 0, 1}, other_station{2, 0, 0, 0, 0, 2},
    everybody{255, 255, 255, 255, 255, 255};

// The card.
struct World {
    std::deque<Bytes> arriving, sent;
    bool room = true, tells_of_room = false, listens = false, comes_unseen = false, link = true;
} world;

using ::net::test::get;
using ::net::test::put;

Card card() {
    Card out;
    out.address = own_station;
    out.receive = [](void*, unsigned most, Card::Place place, void (*came)()) {
        unsigned looked = 0;
        for (; looked < most && !world.arriving.empty(); ++looked) {
            const Bytes frame = world.arriving.front();
            world.arriving.pop_front();
            const std::span<std::byte> to = place(static_cast<std::uint32_t>(frame.size()));
            if (to.size() != frame.size())
                continue;
            std::copy(frame.begin(), frame.end(), to.begin());
            came();
        }
        return looked;
    };
    out.send = [](void*, std::uint32_t bytes, Card::Fill fill, void* context) {
        if (!world.room)
            return false;
        Bytes frame(bytes);
        fill(context, frame);
        world.sent.push_back(frame);
        return true;
    };
    out.has_room = [](void*) { return world.room; };
    out.tell_of_room = [](void*, bool on) { world.tells_of_room = on; };
    out.listen = [](void*, bool on) {
        world.listens = on;
        return std::exchange(world.comes_unseen, false);
    };
    out.has_link = [](void*) { return world.link; };
    static const drivers::net::Counters counted{.received = 7, .received_bytes = 700};
    out.counters = &counted;
    return out;
}

const std::array<::net::PublishedPort, 1> published{{{::net::protocol::tcp, 8080, 80}}};
Outside outside{{.card = card(), .address = own, .prefix = 24, .gateway = gateway, .published = published}};
const std::array<::net::Peer, 1> peers{{{.outside = true, .own = own}}};
// TCP 80 and UDP 53 are published; this end begins TCP to port 443 of 198.51.100.0/24 and UDP to 53.
std::array<::net::Rule, 4> rules{{{0, true, ::net::protocol::tcp, 80, 80},
                                  {0, true, ::net::protocol::udp, 53, 53},
                                  {0, false, ::net::protocol::tcp, 443, 443, 0, 0xC6336400, 0xFFFFFF00},
                                  {0, false, ::net::protocol::udp, 53, 53}}};

struct Segment {
    std::uint16_t from = 0, to = 0;
    std::uint32_t sequence = 0, acknowledged = 0;
    std::uint8_t flags = 0;
    std::string data;
    [[nodiscard]] bool has(std::uint8_t which) const { return (flags & which) == which; }
};

Bytes frame_of(const Bytes& packet, std::uint32_t type = 0x0800, const Station& to = own_station) {
    Bytes out(14);
    for (std::size_t i = 0; i < 6; ++i) {
        out[i] = std::byte{to[i]};
        out[6 + i] = std::byte{other_station[i]};
    }
    put(out, 12, type, 2);
    out.insert(out.end(), packet.begin(), packet.end());
    if (out.size() < 60)
        out.resize(60); // as Ethernet pads
    return out;
}
Bytes ip(std::uint8_t protocol, std::size_t payload, std::uint32_t source, std::uint32_t target = own) {
    Bytes out(20 + payload);
    put(out, 0, 0x45, 1);
    put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
    put(out, 8, 64 << 8 | protocol, 2);
    put(out, 12, source, 4);
    put(out, 16, target, 4);
    return out;
}
Bytes datagram(std::uint32_t source, std::uint16_t from, std::uint16_t to, std::string_view text) {
    Bytes out = ip(17, 8 + text.size(), source);
    put(out, 20, from, 2);
    put(out, 22, to, 2);
    put(out, 24, static_cast<std::uint32_t>(8 + text.size()), 2);
    std::memcpy(out.data() + 28, text.data(), text.size());
    ::net::make_sums(out);
    return out;
}
Bytes packet_of(const Segment& segment, std::uint32_t source) {
    Bytes out = ip(6, 20 + segment.data.size(), source);
    put(out, 20, segment.from, 2);
    put(out, 22, segment.to, 2);
    put(out, 24, segment.sequence, 4);
    put(out, 28, segment.acknowledged, 4);
    put(out, 32, 0x5000 | segment.flags, 2);
    put(out, 34, 60000, 2);
    std::memcpy(out.data() + 40, segment.data.data(), segment.data.size());
    ::net::make_sums(out);
    return out;
}
// RFC 826.
Bytes arp(unsigned operation, std::uint32_t sender, std::uint32_t target, const Station& asked = {}) {
    Bytes out(28);
    put(out, 0, 1, 2);
    put(out, 2, 0x0800, 2);
    put(out, 4, 0x0604, 2);
    put(out, 6, operation, 2);
    for (std::size_t i = 0; i < 6; ++i) {
        out[8 + i] = std::byte{other_station[i]};
        out[18 + i] = std::byte{asked[i]};
    }
    put(out, 14, sender, 4);
    put(out, 24, target, 4);
    return out;
}

struct OutsideTest : net::test::SocketTest {
    OutsideTest() {
        static const bool started = start({0, 0, {}, peers, rules, &outside});
        EXPECT_TRUE(started);
        world.arriving.clear();
        world.sent.clear();
        heap_before = fs::host::state().heap_objects;
        allowed_objects = 1000; // lwIP's, which stay until their time is over
    }
    void give(const Bytes& frame) {
        world.arriving.push_back(frame);
        while (poll()) {
        }
    }
    void give_packet(const Bytes& packet) { give(frame_of(packet)); }
    void know(std::uint32_t address) { // as if it had asked who has it
        give(frame_of(arp(1, address, own), 0x0806, everybody));
        world.sent.clear();
    }
    void say(const Segment& segment, std::uint32_t source = neighbour) {
        give_packet(packet_of(segment, source));
    }
    Segment next() {
        if (world.sent.empty()) {
            ADD_FAILURE() << "no frame came";
            return {};
        }
        const Bytes frame = world.sent.front();
        world.sent.pop_front();
        EXPECT_EQ(get(frame, 12, 2), 0x0800u);
        const Bytes packet(frame.begin() + 14, frame.begin() + 14 + get(frame, 16, 2));
        EXPECT_TRUE(::net::sums_hold(packet));
        EXPECT_EQ(::net::sum_payload(packet), 0xFFFFu);
        EXPECT_EQ(get(packet, 12, 4), own);
        const std::size_t header = 20 + (get(packet, 32, 1) >> 4) * 4;
        return {static_cast<std::uint16_t>(get(packet, 20, 2)),
                static_cast<std::uint16_t>(get(packet, 22, 2)),
                get(packet, 24, 4),
                get(packet, 28, 4),
                static_cast<std::uint8_t>(get(packet, 33, 1)),
                std::string(reinterpret_cast<const char*>(packet.data()) + header, packet.size() - header)};
    }
    void pass_time(std::uint64_t milliseconds) {
        constexpr std::uint64_t step = 50;
        for (std::uint64_t i = 0; i < milliseconds; i += step) {
            net::host::now() += step * 1'000'000;
            net::host::run_timers();
        }
    }
    int listener_at(std::uint16_t port) {
        const int listener = make(net::family::inet, net::Type::stream);
        EXPECT_EQ(bind(listener, inet_address(0, port)), 0);
        EXPECT_EQ(listen(listener), 0);
        return listener;
    }
    struct Made {
        int descriptor;
        Segment last;
    };
    Made made_by(int listener, std::uint16_t from, std::uint32_t source = neighbour) {
        say({from, 8080, 1000, 0, flag::syn, ""}, source);
        const Segment answer = next();
        EXPECT_TRUE(answer.has(flag::syn | flag::acknowledge));
        EXPECT_EQ(answer.from, 8080) << "the published number";
        const Segment last{from, 8080, 1001, answer.sequence + 1, flag::acknowledge, ""};
        say(last, source);
        return {accept(listener), last};
    }
};

TEST_F(OutsideTest, TellsWhoHasItsAddress) {
    give(frame_of(arp(1, neighbour, own), 0x0806, everybody));
    ASSERT_EQ(world.sent.size(), 1u);
    const Bytes answer = world.sent.front();
    EXPECT_EQ(get(answer, 12, 2), 0x0806u);
    EXPECT_EQ(get(answer, 20, 2), 2u);
    EXPECT_EQ(get(answer, 28, 4), own);
    EXPECT_EQ(answer[0], std::byte{other_station[0]});
    give(frame_of(arp(1, neighbour, gateway), 0x0806, everybody));
    EXPECT_EQ(world.sent.size(), 1u);
    EXPECT_TRUE(world.listens);
}

TEST_F(OutsideTest, APublishedPortIsReachedUnderItsNumber) {
    know(neighbour);
    const int listener = listener_at(80);
    auto [server, at_world] = made_by(listener, 40000);
    ASSERT_GE(server, 0);
    net::Address name;
    EXPECT_EQ(fs::test::code(at(server).kind->name(at(server), net::End::own, name)), 0);
    EXPECT_EQ(*net::decode(name), (net::Endpoint{IpAddress::v4(own), 80}));
    at_world.data = "hello";
    say(at_world);
    EXPECT_EQ(receive(server), "hello");
    EXPECT_EQ(send(server, "answer"), 6);
    const Segment answer = next();
    EXPECT_EQ(answer.data, "answer");
    EXPECT_EQ(answer.acknowledged, at_world.sequence + 5);
    say({40000, 8080, at_world.sequence + 5, 0, flag::reset, ""});
}

TEST_F(OutsideTest, WhatIsNotPublishedHearsNothing) {
    know(neighbour);
    const int listener = listener_at(80), other = listener_at(81);
    const std::uint64_t before = firewall().dropped_inbound(Verdict::no_rule);
    say({40100, 80, 1, 0, flag::syn, ""}); // its number inside
    say({40100, 81, 1, 0, flag::syn, ""});
    give_packet(datagram(neighbour, 1, 80, "x"));
    EXPECT_TRUE(world.sent.empty());
    EXPECT_EQ(accept(listener), -again);
    EXPECT_EQ(accept(other), -again);
    EXPECT_EQ(firewall().dropped_inbound(Verdict::no_rule), before + 3);
}

TEST_F(OutsideTest, ASegmentOfNoConnectionToAnOpenPortIsAnsweredWithAReset) {
    know(neighbour);
    for (const bool listens : {false, true}) { // a container that begins anew, and one that serves again
        if (listens)
            (void)listener_at(80);
        say({40200, 8080, 5000, 7000, flag::acknowledge, "hello"});
        const Segment answer = next();
        EXPECT_TRUE(answer.has(flag::reset));
        EXPECT_EQ(answer.from, 8080);
        EXPECT_EQ(answer.sequence, 7000u);
        say({40200, 8080, 5000, 7000, flag::reset, ""});
        say({40200, 8081, 5000, 7000, flag::acknowledge, ""}); // not published
        EXPECT_TRUE(world.sent.empty());
    }
}

TEST_F(OutsideTest, WhatIsDamagedOrNotForItIsDropped) {
    know(neighbour);
    const int listener = listener_at(80);
    const Bytes good = packet_of({40200, 8080, 1, 0, flag::syn, ""}, neighbour);
    const auto heard = [&](Bytes frame) {
        give(std::move(frame));
        const bool answered = !world.sent.empty();
        world.sent.clear();
        return answered;
    };
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        Bytes bad = good;
        bad[bit / 8] ^= std::byte{1} << bit % 8;
        EXPECT_FALSE(heard(frame_of(bad))) << bit;
    }
    Bytes longer = good, cut = frame_of(good);
    put(longer, 2, 1400, 2);
    put(longer, 10, 0, 2);
    put(longer, 10, ~::net::sum_words(std::span{longer}.first(20)), 2);
    EXPECT_FALSE(heard(frame_of(longer))) << "longer than its frame";
    cut.resize(30);
    EXPECT_FALSE(heard(cut));
    EXPECT_FALSE(heard(Bytes(14)));
    EXPECT_FALSE(heard(frame_of(good, 0x0800, everybody)));
    EXPECT_FALSE(heard(frame_of(good, 0x86DD)));
    EXPECT_FALSE(heard(frame_of(good, 0x8100)));
    for (std::size_t bytes = 14; bytes < 42; ++bytes) { // less than ARP takes
        Bytes question = frame_of(arp(1, neighbour, own), 0x0806, everybody);
        question.resize(bytes);
        EXPECT_FALSE(heard(question)) << bytes;
    }
    EXPECT_TRUE(heard(frame_of(good)));
    EXPECT_EQ(accept(listener), -again);
}

TEST_F(OutsideTest, TheSamePortsBeginAnewBehindAConnectionThatThisEndEnded) {
    know(neighbour);
    const int listener = listener_at(80);
    auto [server, at_world] = made_by(listener, 40250);
    close(server);
    const Segment end = next();
    EXPECT_TRUE(end.has(flag::fin));
    at_world.acknowledged += 1;
    at_world.flags = flag::acknowledge | flag::fin;
    say(at_world);
    EXPECT_TRUE(next().has(flag::acknowledge));
    say({40250, 8080, 500, 0, flag::syn, ""}); // before the other's numbers: an old one
    while (!world.sent.empty())
        EXPECT_FALSE(next().has(flag::syn));
    say({40250, 8080, 5000, 0, flag::syn, ""});
    const Segment answer = next();
    EXPECT_TRUE(answer.has(flag::syn | flag::acknowledge));
    EXPECT_EQ(answer.acknowledged, 5001u);
    say({40250, 8080, 5001, 0, flag::reset, ""});
    pass_time(61'000); // the port is this end's for a minute
}

TEST_F(OutsideTest, OutOfOrderSegmentsWaitForThoseBefore) {
    know(neighbour);
    const int listener = listener_at(80);
    auto [server, at_world] = made_by(listener, 40300);
    Segment third = at_world, second = at_world, first = at_world;
    first.data = "one ";
    second.sequence += 4;
    second.data = "two ";
    third.sequence += 8;
    third.data = "three";
    say(third);
    say(second);
    EXPECT_EQ(receive(server), "error " + std::to_string(again));
    say(first);
    EXPECT_EQ(receive(server), "one two three");
    say({40300, 8080, first.sequence + 13, 0, flag::reset, ""});
}

TEST_F(OutsideTest, ThisEndAsksForItsGatewayAndConnects) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(far_away, 80)), acces);
    EXPECT_EQ(connect(client, inet_address(0xCB007107, 443)), acces) << "no rule for that network";
    EXPECT_EQ(connect(client, inet_address(far_away, 443)), inprogress);
    ASSERT_EQ(world.sent.size(), 1u);
    EXPECT_EQ(get(world.sent.front(), 12, 2), 0x0806u);
    EXPECT_EQ(get(world.sent.front(), 38, 4), gateway);
    world.sent.clear();
    give(frame_of(arp(2, gateway, own, own_station), 0x0806));
    const Segment syn = next();
    EXPECT_TRUE(syn.has(flag::syn));
    EXPECT_EQ(syn.to, 443);
    say({443, syn.from, 700, syn.sequence + 1, flag::syn | flag::acknowledge, ""}, far_away);
    EXPECT_EQ(connect(client, inet_address(far_away, 443)), 0);
    EXPECT_TRUE(next().has(flag::acknowledge));
    EXPECT_EQ(send(client, "x"), 1);
    EXPECT_EQ(next().data, "x");
    say({443, syn.from, 701, 0, flag::reset, ""}, far_away);
}

TEST_F(OutsideTest, DatagramsComeAndGo) {
    know(neighbour);
    const int socket = make(net::family::inet, net::Type::datagram);
    EXPECT_EQ(bind(socket, inet_address(0, 53)), 0);
    give_packet(datagram(neighbour, 900, 53, "who?"));
    EXPECT_EQ(receive(socket), "who?");
    const net::Address to = inet_address(neighbour, 900);
    EXPECT_EQ(send(socket, "me", 0, &to), 2);
    ASSERT_FALSE(world.sent.empty());
    const Bytes answer(world.sent.front().begin() + 14, world.sent.front().end());
    EXPECT_TRUE(::net::sums_hold(answer));
    EXPECT_EQ(get(answer, 22, 2), 900u);
    EXPECT_EQ(send(socket, std::string(1473, 'x'), 0, &to), -msgsize);
    EXPECT_EQ(send(socket, std::string(1472, 'x'), 0, &to), 1472);
    const net::Address other = inet_address(neighbour, 901);
    EXPECT_EQ(send(socket, "me", 0, &other), -acces);
}

TEST_F(OutsideTest, AnErrorFromARouterIsOfItsConnectionAlone) {
    know(gateway);
    const int socket = make(net::family::inet, net::Type::datagram);
    EXPECT_EQ(connect(socket, inet_address(far_away, 53)), 0);
    EXPECT_EQ(send(socket, "q"), 1);
    const Bytes sent(world.sent.front().begin() + 14, world.sent.front().end());
    const auto error = [&](std::uint32_t code) {
        Bytes message = ip(1, 8 + 28, gateway);
        put(message, 20, 0x300 | code, 2);
        std::copy(sent.begin(), sent.begin() + 28, message.begin() + 28);
        ::net::make_sums(message);
        return message;
    };
    give_packet(error(1));
    EXPECT_EQ(receive(socket), "error " + std::to_string(again)) << "a network that is away may come back";
    give_packet(error(3));
    EXPECT_EQ(receive(socket), "error " + std::to_string(connrefused));
}

TEST_F(OutsideTest, AFullCardKeepsSegmentsWithTcp) {
    know(neighbour);
    const int listener = listener_at(80);
    auto [server, at_world] = made_by(listener, 40400);
    world.room = false;
    EXPECT_EQ(send(server, "late"), 4);
    EXPECT_TRUE(world.sent.empty());
    EXPECT_TRUE(world.tells_of_room);
    world.room = true;
    while (poll()) {
    }
    EXPECT_FALSE(world.tells_of_room);
    ASSERT_FALSE(world.sent.empty());
    EXPECT_EQ(next().data, "late");
    say({40400, 8080, at_world.sequence, 0, flag::reset, ""});
}

TEST_F(OutsideTest, ManyFramesAreTakenInSteps) {
    know(neighbour);
    for (unsigned i = 0; i < 200; ++i)
        world.arriving.push_back(frame_of(arp(1, neighbour, gateway), 0x0806, everybody));
    EXPECT_TRUE(poll());
    EXPECT_EQ(world.arriving.size(), 136u);
    EXPECT_FALSE(world.listens) << "who looks again need not be told";
    while (poll()) {
    }
    EXPECT_TRUE(world.listens);
}

// RFC 791: pieces of so many bytes of payload, from an offset on.
Bytes piece_of(const Bytes& packet, std::size_t from, std::size_t bytes) {
    const bool more = 20 + from + bytes < packet.size();
    Bytes out(packet.begin(), packet.begin() + 20);
    const auto at = packet.begin() + static_cast<std::ptrdiff_t>(20 + from);
    out.insert(out.end(), at, at + static_cast<std::ptrdiff_t>(std::min(bytes, packet.size() - 20 - from)));
    put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
    put(out, 6, static_cast<std::uint32_t>(from / 8) | (more ? 0x2000u : 0), 2);
    put(out, 10, 0, 2);
    put(out, 10, ~::net::sum_words(std::span{out}.first(20)) & 0xFFFF, 2);
    return out;
}

TEST_F(OutsideTest, ADatagramInPiecesIsPutTogether) {
    know(neighbour);
    const int socket = make(net::family::inet, net::Type::datagram);
    EXPECT_EQ(bind(socket, inet_address(0, 53)), 0);
    const std::string nothing = "error " + std::to_string(again);
    std::string text(4000, 'x');
    for (std::size_t i = 0; i < text.size(); ++i)
        text[i] = static_cast<char>('a' + i % 23);
    const Bytes whole = datagram(neighbour, 900, 53, text);
    give_packet(piece_of(whole, 2960, 2000)); // in any order
    give_packet(piece_of(whole, 0, 1480));
    EXPECT_EQ(receive(socket), nothing);
    give_packet(piece_of(whole, 1480, 1480));
    EXPECT_EQ(receive(socket, 5000), text);
    // What does not fit together, or has a wrong sum when it is whole, or is nobody's, is dropped.
    Bytes wrong = whole;
    wrong[3000] ^= std::byte{1};
    give_packet(piece_of(wrong, 0, 1480));
    give_packet(piece_of(wrong, 1480, 1480));
    give_packet(piece_of(wrong, 2960, 2000));
    const Bytes other = datagram(neighbour, 900, 54, text); // no rule admits it
    give_packet(piece_of(other, 0, 1480));
    give_packet(piece_of(other, 1480, 2600));
    EXPECT_EQ(receive(socket), nothing);
    // A flood of first pieces takes a bounded amount of memory, and time takes it back.
    const std::size_t before = fs::host::state().heap_objects;
    for (unsigned i = 0; i < 5000; ++i) {
        Bytes flood = piece_of(whole, 0, 1480);
        put(flood, 4, i, 2);
        put(flood, 10, 0, 2);
        put(flood, 10, ~::net::sum_words(std::span{flood}.first(20)) & 0xFFFF, 2);
        give_packet(flood);
    }
    EXPECT_LE(fs::host::state().heap_objects, before + 100);
    for (unsigned i = 0; i < 20; ++i)
        run_outside_clock();
    EXPECT_LE(fs::host::state().heap_objects, before);
}

TEST_F(OutsideTest, WhatACardWillNotTellOfIsLookedForAtOnce) {
    for (unsigned i = 0; i < 100; ++i)
        world.arriving.push_back(frame_of(arp(1, neighbour, gateway), 0x0806, everybody));
    EXPECT_TRUE(poll());
    world.comes_unseen = true; // while it is told to tell again
    EXPECT_TRUE(poll());
    EXPECT_FALSE(poll());
    EXPECT_TRUE(world.listens);
}

TEST_F(OutsideTest, ProgramsSeeTheCardAndItsLink) {
    run_outside_clock();
    const auto shown = net::interfaces();
    ASSERT_EQ(shown.size(), 2u);
    EXPECT_EQ(shown[0].name, "lo");
    const net::Interface& card = shown[1];
    EXPECT_EQ(card.name, "eth0");
    EXPECT_EQ(card.v4, net::IpAddress::v4(own));
    EXPECT_EQ(card.gateway, net::IpAddress::v4(gateway));
    EXPECT_EQ(card.hardware, own_station);
    EXPECT_EQ(card.received.packets, 7u);
    EXPECT_EQ(card.flags, 0x11043u) << "UP BROADCAST RUNNING MULTICAST LOWER_UP";
    world.link = false;
    run_outside_clock();
    EXPECT_EQ(net::interfaces()[1].flags, 0x1003u);
    world.link = true;
    run_outside_clock();
    EXPECT_EQ(net::interfaces()[1].flags, 0x11043u);
    fs::TextSink devices, routes;
    net::describe_devices(devices);
    EXPECT_NE(devices.view().find("  eth0: 700 7 0 0 0 0 0 0 "), std::string_view::npos) << devices.view();
    net::describe_routes(routes);
    EXPECT_NE(routes.view().find("\neth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0 "),
              std::string_view::npos)
        << routes.view();
    EXPECT_NE(routes.view().find("\neth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0 "),
              std::string_view::npos)
        << routes.view();
}

TEST_F(OutsideTest, WithoutAWayThereIsNone) {
    outside.gateway = 0;
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(far_away, 443)), netunreach);
    outside.gateway = gateway;
}

} // namespace
} // namespace uk::wires
