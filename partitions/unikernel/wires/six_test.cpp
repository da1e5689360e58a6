// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/six_test.cpp - IPv6 over a network card, against a link that the test plays frame by frame: an address made of
// what a router says, neighbours, the kernel's sockets; and a link that lies.
// Spec: RFC 4861, RFC 4862, RFC 8106.
#include "partitions/net/six_test.hpp"
#include "partitions/net/neighbour.hpp"
#include "partitions/unikernel/net/describe.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/interfaces.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"
#include "partitions/unikernel/wires/card_test.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <vector>

namespace uk::wires {
namespace {

using namespace ::net::test;
using ::net::Address6;
using net::IpAddress;
using ::net::Verdict;
using net::test::inet6_address;
using test::arriving, test::sent;
namespace flag = ::net::tcp_flag;

constexpr int again = 11, acces = 13, msgsize = 90, netunreach = 101, connrefused = 111, inprogress = 115;
constexpr std::uint64_t station_part = 0x0000'00FF'FE00'0001; // of 02:00:00:00:00:01
constexpr Address6 own_of_link{0xFE80ull << 48, station_part}, own{documentation, station_part};
constexpr Address6 name_server{documentation, 0x53}, all_routers{0xFF02ull << 48, 2};

Card card() {
    Card out = test::card();
    static const drivers::net::Counters counted{};
    out.counters = &counted;
    return out;
}

std::vector<std::pair<Address6, bool>> told;
const std::array<::net::PublishedPort, 1> published{{{::net::protocol::tcp, 8080, 80}}};
std::array<::net::Peer, 1> peers{{{.outside = true}}};
Outside outside{
    {.card = card(),
     .address = 0xC000020A,
     .published = published,
     .six = {.way = station::Six::Way::advertised,
             .tell = [](const Address6& address, bool here) { told.emplace_back(address, here); }}},
    peers.data()};
// TCP 80 and UDP 7 are published for both families, TCP 81 for IPv4; this end may begin TCP to 443 of 2001:db8:2::/48, UDP to 53.
std::array<::net::Rule, 7> rules{
    {{.inbound = true, .protocol = ::net::protocol::tcp, .first_port = 80, .last_port = 80},
     {.inbound = true, .protocol = ::net::protocol::tcp, .first_port = 80, .last_port = 80, .v6 = true},
     {.inbound = true, .protocol = ::net::protocol::udp, .first_port = 7, .last_port = 7, .v6 = true},
     {.inbound = true, .protocol = ::net::protocol::tcp, .first_port = 81, .last_port = 81},
     {.protocol = ::net::protocol::tcp,
      .first_port = 443,
      .last_port = 443,
      .v6 = true,
      .prefix6 = 48,
      .network6 = {documentation + 0x2'0000, 0}},
     {.protocol = ::net::protocol::udp, .first_port = 53, .last_port = 53, .v6 = true},
     {.protocol = ::net::protocol::tcp, .first_port = 1, .last_port = 0xFFFF}}};

Bytes frame_of(const Bytes& packet, std::uint8_t sender = 2) {
    Bytes out(14);
    const Address6 target = ::net::read_address6(std::span{packet}.subspan(24));
    if (::net::is_group(target)) {
        put(out, 0, 0x3333, 2);
        put(out, 2, static_cast<std::uint32_t>(target.low), 4);
    } else {
        put(out, 0, 0x0200'0000, 4);
        put(out, 5, 1, 1);
    }
    put(out, 6, 0x0200'0000, 4);
    put(out, 11, sender, 1);
    put(out, 12, 0x86DD, 2);
    out.insert(out.end(), packet.begin(), packet.end());
    if (out.size() < 60)
        out.resize(60); // as Ethernet pads
    return out;
}

// RFC 4861 section 4.2 and 4.6.2, RFC 8106 section 5.1.
struct Router {
    Address6 source = router6, prefix{documentation, 0}, server = name_server;
    std::uint32_t life = 1800, prefix_life = 86400, server_life = 600;
    std::uint8_t hops = 255, station = 9;
    [[nodiscard]] Bytes says() const {
        Bytes out(12 + 8 + 32 + 24);
        put(out, 0, 64, 1);
        put(out, 2, life, 2);
        put(out, 12, 0x0101'0200, 4); // where it is
        put(out, 19, station, 1);
        put(out, 20, 0x0304'40C0, 4); // on this link, and to make addresses of
        put(out, 24, prefix_life, 4);
        put(out, 28, prefix_life, 4);
        ::net::write_address6(prefix, std::span{out}.subspan(36));
        put(out, 52, 0x1903'0000, 4);
        put(out, 56, server_life, 4);
        ::net::write_address6(server, std::span{out}.subspan(60));
        return icmp6(source, all_nodes, 134, out, hops);
    }
};

struct Segment {
    std::uint16_t from = 0, to = 0;
    std::uint32_t sequence = 0, acknowledged = 0;
    std::uint8_t flags = 0;
    std::string data;
    [[nodiscard]] bool has(std::uint8_t which) const { return (flags & which) == which; }
};

struct SixTest : net::test::SocketTest {
    SixTest() {
        static const bool started = start({0, 0, {}, peers, rules, &outside});
        EXPECT_TRUE(started);
        arriving.clear();
        sent.clear();
        allowed_objects = 1000;              // lwIP's, which stay until their time is over
        if (outside.six.own.all[0].none()) { // the first of the tests, or one alone
            pass_time(4000);
            first_frames = sent;
            give(Router{}.says());
            pass_time(4000);
            sent.clear();
        }
        heap_before = fs::host::state().heap_objects;
    }
    static inline std::deque<Bytes> first_frames;

    void give_frame(const Bytes& frame) {
        arriving.push_back(frame);
        while (poll()) {
        }
    }
    void give(const Bytes& packet) { give_frame(frame_of(packet)); }
    void pass_time(std::uint64_t milliseconds) {
        constexpr std::uint64_t step = 50;
        for (std::uint64_t i = 0; i < milliseconds; i += step) {
            net::host::now() += step * 1'000'000;
            net::host::run_timers();
        }
    }
    // As if it had asked for this end's.
    void know(const Address6& neighbour, std::uint8_t station = 2) {
        Bytes body = about_neighbour(own, 0, 1);
        put(body, 27, station, 1);
        give_frame(frame_of(icmp6(neighbour, ::net::solicited_group(own), 135, body), station));
        sent.clear();
    }
    // The next packet of that kind; what neighbours are told otherwise is passed over.
    Bytes next_packet(std::uint8_t protocol) {
        while (!sent.empty()) {
            const Bytes frame = sent.front();
            sent.pop_front();
            if (get(frame, 12, 2) != 0x86DD || get(frame, 20, 1) != protocol)
                continue;
            const Bytes packet(frame.begin() + 14, frame.end());
            EXPECT_EQ(get(packet, 4, 2), packet.size() - 40);
            EXPECT_LE(packet.size(), station::mtu6);
            EXPECT_EQ(::net::sum_payload(packet), 0xFFFFu);
            return packet;
        }
        return {};
    }
    void say(const Segment& segment, const Address6& source = client6, const Address6& target = own) {
        Bytes out = ip6(::net::protocol::tcp, source, target, 20 + segment.data.size());
        put(out, 40, segment.from, 2);
        put(out, 42, segment.to, 2);
        put(out, 44, segment.sequence, 4);
        put(out, 48, segment.acknowledged, 4);
        put(out, 52, 0x5000 | segment.flags, 2);
        put(out, 54, 60000, 2);
        std::memcpy(out.data() + 60, segment.data.data(), segment.data.size());
        ::net::make_sums(out);
        give(out);
    }
    Segment next() {
        const Bytes packet = next_packet(::net::protocol::tcp);
        if (packet.empty()) {
            ADD_FAILURE() << "no segment came";
            return {};
        }
        const std::size_t header = 40 + (get(packet, 52, 1) >> 4) * 4;
        return {static_cast<std::uint16_t>(get(packet, 40, 2)),
                static_cast<std::uint16_t>(get(packet, 42, 2)),
                get(packet, 44, 4),
                get(packet, 48, 4),
                static_cast<std::uint8_t>(get(packet, 53, 1)),
                std::string(reinterpret_cast<const char*>(packet.data()) + header, packet.size() - header)};
    }
    int listener_at(std::uint16_t port) {
        const int listener = make(net::family::inet6, net::Type::stream);
        EXPECT_EQ(bind(listener, inet6_address({}, port)), 0);
        EXPECT_EQ(listen(listener), 0);
        return listener;
    }
    static IpAddress ip_of(const Address6& address) {
        IpAddress out;
        ::net::write_address6(address, std::as_writable_bytes(std::span{out.octets}));
        return out;
    }
};

TEST_F(SixTest, MakesItsAddressesAfterItHasAskedWhetherTheyAreFree) {
    unsigned questions = 0, solicitations = 0, reports = 0;
    for (const Bytes& frame : first_frames) {
        if (get(frame, 12, 2) != 0x86DD)
            continue;
        const Bytes packet(frame.begin() + 14, frame.end());
        EXPECT_TRUE(::net::is_said_to_neighbours(packet));
        const bool report = get(packet, 6, 1) == 0;
        reports += report ? 1 : 0;
        questions += !report && get(packet, 40, 1) == 135 &&
                             ::net::read_address6(std::span{packet}.subspan(8)).none() &&
                             ::net::read_address6(std::span{packet}.subspan(48)) == own_of_link
                         ? 1
                         : 0;
        solicitations += !report && get(packet, 40, 1) == 133 &&
                                 ::net::read_address6(std::span{packet}.subspan(24)) == all_routers
                             ? 1
                             : 0;
    }
    EXPECT_GE(reports, 1u);
    EXPECT_EQ(questions, 1u);
    EXPECT_GE(solicitations, 1u);
    EXPECT_EQ(outside.six.own.all[0], own_of_link);
    EXPECT_EQ(outside.six.own.all[1], own);
    EXPECT_EQ(station::router6(), router6);
    EXPECT_EQ(outside.six.name_servers[0], name_server);
    ASSERT_GE(told.size(), 2u);
    EXPECT_EQ(told[0], std::pair(own_of_link, true));
    EXPECT_EQ(told[1], std::pair(own, true));
}

TEST_F(SixTest, ProgramsSeeIt) {
    const net::Interface& card = net::interfaces().back();
    EXPECT_EQ(card.more_v6[0].address, ip_of(own_of_link));
    EXPECT_TRUE(card.more_v6[0].for_ever);
    EXPECT_EQ(card.more_v6[1].address, ip_of(own));
    EXPECT_FALSE(card.more_v6[1].for_ever);
    EXPECT_TRUE(card.more_v6[2].address.any());
    EXPECT_EQ(card.gateway_v6, ip_of(router6));
}

TEST_F(SixTest, TellsWhoHasItsAddress) {
    give(icmp6(client6, ::net::solicited_group(own), 135, about_neighbour(own, 0, 1)));
    const Bytes answer = next_packet(::net::protocol::icmp6);
    ASSERT_FALSE(answer.empty());
    EXPECT_EQ(get(answer, 40, 1), 136u);
    EXPECT_EQ(get(answer, 7, 1), 255u);
    EXPECT_EQ(::net::read_address6(std::span{answer}.subspan(48)), own);
    give(icmp6(client6, ::net::solicited_group(far6), 135, about_neighbour(far6, 0, 1)));
    EXPECT_TRUE(next_packet(::net::protocol::icmp6).empty());
    give(icmp6(client6, own, 128, Bytes(20))); // nobody is answered but by rules
    EXPECT_TRUE(next_packet(::net::protocol::icmp6).empty());
}

TEST_F(SixTest, APublishedPortIsReachedUnderItsNumber) {
    know(client6);
    const int listener = listener_at(80);
    say({40000, 8080, 1000, 0, flag::syn, ""});
    const Segment answer = next();
    EXPECT_TRUE(answer.has(flag::syn | flag::acknowledge));
    EXPECT_EQ(answer.from, 8080) << "the published number";
    Segment last{40000, 8080, 1001, answer.sequence + 1, flag::acknowledge, ""};
    say(last);
    const int server = accept(listener);
    ASSERT_GE(server, 0);
    net::Address name;
    EXPECT_EQ(fs::test::code(at(server).kind->name(at(server), net::End::peer, name)), 0);
    EXPECT_EQ(*net::decode(name), (net::Endpoint{ip_of(client6), 40000}));
    EXPECT_EQ(fs::test::code(at(server).kind->name(at(server), net::End::own, name)), 0);
    EXPECT_EQ(*net::decode(name), (net::Endpoint{ip_of(own), 80}));
    last.data = "hello";
    say(last);
    EXPECT_EQ(receive(server), "hello");
    EXPECT_EQ(send(server, "answer"), 6);
    const Segment said = next();
    EXPECT_EQ(said.data, "answer");
    EXPECT_EQ(said.acknowledged, last.sequence + 5);
    say({40000, 8080, last.sequence + 5, 0, flag::reset, ""});
}

TEST_F(SixTest, NothingThatIsSentIsLargerThanGetsEverywhere) {
    know(client6);
    const int listener = listener_at(80);
    Bytes first = tcp6(client6, 40010, own, 8080, flag::syn); // which takes 8,000 bytes a segment
    first.resize(40 + 24);
    put(first, 4, 24, 2);
    put(first, 52, 0x6002, 2);
    put(first, 54, 60000, 2);
    put(first, 60, 0x0204'1F40, 4);
    ::net::make_sums(first);
    give(first);
    const Segment answer = next();
    say({40010, 8080, 1, answer.sequence + 1, flag::acknowledge, ""});
    const int server = accept(listener);
    ASSERT_GE(server, 0);
    EXPECT_EQ(send(server, std::string(3000, 'x')), 3000);
    EXPECT_EQ(next().data.size(), 1220u);
    say({40010, 8080, 1, 0, flag::reset, ""});
    const int socket = make(net::family::inet6, net::Type::datagram);
    const net::Address to = inet6_address(ip_of(name_server), 53);
    EXPECT_EQ(send(socket, std::string(1232, 'x'), 0, &to), 1232);
    EXPECT_EQ(send(socket, std::string(1233, 'x'), 0, &to), -msgsize);
}

TEST_F(SixTest, WhatIsNotPublishedHearsNothing) {
    know(client6);
    const int listener = listener_at(80), other = listener_at(81);
    const std::uint64_t before = firewall().dropped_inbound(Verdict::no_rule);
    say({40100, 80, 1, 0, flag::syn, ""}); // its number inside
    say({40100, 81, 1, 0, flag::syn, ""}); // IPv4's
    give(udp6(client6, 1, own, 80));
    EXPECT_TRUE(sent.empty());
    EXPECT_EQ(accept(listener), -again);
    EXPECT_EQ(accept(other), -again);
    EXPECT_EQ(firewall().dropped_inbound(Verdict::no_rule), before + 3);
}

TEST_F(SixTest, WhatIsDamagedForgedOrInPiecesIsDropped) {
    know(client6);
    const int listener = listener_at(80);
    const Bytes good = tcp6(client6, 40200, own, 8080, flag::syn);
    const auto heard = [&](const Bytes& packet) {
        give(packet);
        const bool answered = !next_packet(::net::protocol::tcp).empty();
        sent.clear();
        return answered;
    };
    for (std::size_t bit = 48; bit < 56; ++bit) { // what follows
        Bytes bad = good;
        bad[bit / 8] ^= std::byte{1} << bit % 8;
        EXPECT_FALSE(heard(bad)) << bit;
    }
    for (std::size_t bit = 64; bit < good.size() * 8; ++bit) { // addresses, and behind
        Bytes bad = good;
        bad[bit / 8] ^= std::byte{1} << bit % 8;
        EXPECT_FALSE(heard(bad)) << bit;
    }
    for (const Address6& source : {own, ::net::mapped(0xC0000214), Address6{0, 1}, Address6{}, all_nodes})
        EXPECT_FALSE(heard(tcp6(source, 40200, own, 8080, flag::syn)));
    Bytes piece(8);
    EXPECT_FALSE(heard(with_extension(good, 44, piece))) << "the only one of its fragments";
    put(piece, 2, 1, 2);
    EXPECT_FALSE(heard(with_extension(good, 44, piece)));
    put(piece, 2, 16, 2); // which would lie over the first
    EXPECT_FALSE(heard(with_extension(good, 44, piece)));
    Bytes longer = good, cut = frame_of(good);
    put(longer, 4, 1400, 2);
    EXPECT_FALSE(heard(longer)) << "longer than its frame";
    for (std::size_t bytes = 14; bytes < 54; ++bytes) {
        cut = frame_of(good);
        cut.resize(bytes);
        give_frame(cut);
        EXPECT_TRUE(sent.empty());
    }
    Bytes to_all = frame_of(good);
    put(to_all, 0, 0x3333'0000, 4);
    give_frame(to_all);
    EXPECT_TRUE(sent.empty()) << "to a group of stations";
    Bytes options(8);
    put(options, 2, 0x0104, 2);
    EXPECT_TRUE(heard(with_extension(good, 60, options)));
    EXPECT_EQ(accept(listener), -again);
    say({40200, 8080, 1, 0, flag::reset, ""});
}

TEST_F(SixTest, BeginsWhereARuleLetsItAndThereIsAWay) {
    const int refused = make(net::family::inet6, net::Type::stream);
    EXPECT_EQ(connect(refused, inet6_address(ip_of(far6), 80)), acces);
    EXPECT_EQ(connect(refused, inet6_address(ip_of({documentation, 0x99}), 443)), acces);
    EXPECT_EQ(connect(refused, inet6_address(ip_of({0, 0x1234}), 443)), netunreach);
    const int socket = make(net::family::inet6, net::Type::stream);
    EXPECT_EQ(connect(socket, inet6_address(ip_of(far6), 443), true), inprogress);
    // By the router, whose station it knows.
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(get(sent.front(), 5, 1), 9u);
    const Segment first = next();
    EXPECT_TRUE(first.has(flag::syn));
    say({443, first.from, 70, first.sequence + 1, flag::syn | flag::acknowledge, ""}, far6);
    EXPECT_EQ(send(socket, "ask"), 3);
    EXPECT_TRUE(next().has(flag::acknowledge));
    say({443, first.from, 71, 0, flag::reset, ""}, far6);
    net::Address name;
    const int other = make(net::family::inet6, net::Type::stream);
    EXPECT_EQ(bind(other, inet6_address(ip_of(own), 0)), 0);
    EXPECT_NE(bind(make(net::family::inet6, net::Type::stream), inet6_address(ip_of(far6), 0)), 0);
}

TEST_F(SixTest, DatagramsGoBothWays) {
    know(client6);
    const int server = make(net::family::inet6, net::Type::datagram);
    ASSERT_EQ(bind(server, inet6_address({}, 7)), 0);
    give(udp6(client6, 5000, own, 7));
    net::Incoming in;
    EXPECT_EQ(receive(server, in), std::string(3, '\0'));
    EXPECT_EQ(*net::decode(in.from), (net::Endpoint{ip_of(client6), 5000}));
    EXPECT_EQ(send(server, "back", 0, &in.from), 4);
    const Bytes answer = next_packet(::net::protocol::udp);
    ASSERT_EQ(answer.size(), 40u + 8 + 4);
    EXPECT_EQ(get(answer, 42, 2), 5000u);
    EXPECT_TRUE(::net::sums_hold(answer));
    close(server);
    give(udp6(client6, 5001, own, 7)); // nobody is there now
    const Bytes refusal = next_packet(::net::protocol::icmp6);
    ASSERT_FALSE(refusal.empty());
    EXPECT_EQ(get(refusal, 40, 2), 0x0104u);
    // And the other way.
    const int client = make(net::family::inet6, net::Type::datagram);
    EXPECT_EQ(connect(client, inet6_address(ip_of(name_server), 53)), 0);
    know(name_server, 3);
    EXPECT_EQ(send(client, "?"), 1);
    const Bytes question = next_packet(::net::protocol::udp);
    ASSERT_FALSE(question.empty());
    Bytes body(4);
    body.insert(body.end(), question.begin(), question.end());
    give(icmp6(name_server, own, 1, body, 64, 4));
    EXPECT_EQ(receive(client), "error " + std::to_string(connrefused));
}

TEST_F(SixTest, WhoIsBehindARouterIsNoNeighbour) {
    know(client6);
    for (const std::uint8_t hops : {std::uint8_t{254}, std::uint8_t{64}, std::uint8_t{1}}) {
        give(Router{.source = {0xFE80ull << 48, 0x66}, .prefix = {documentation + 0x66, 0}, .hops = hops}
                 .says());
        Bytes body = about_neighbour(client6, 0x60, 2); // "now I am elsewhere"
        put(body, 27, 0x66, 1);
        give(icmp6(client6, own, 136, body, hops));
    }
    give(Router{.source = far6, .prefix = {documentation + 0x66, 0}}.says()); // no address of this link
    Bytes redirect(36);
    ::net::write_address6({0xFE80ull << 48, 0x66}, std::span{redirect}.subspan(4));
    ::net::write_address6(far6, std::span{redirect}.subspan(20));
    give(icmp6(router6, own, 137, redirect));
    pass_time(3000);
    EXPECT_TRUE(outside.six.own.all[2].none());
    EXPECT_EQ(station::router6(), router6);
    const int listener = listener_at(80);
    sent.clear();
    say({40300, 8080, 1, 0, flag::syn, ""});
    ASSERT_FALSE(sent.empty());
    EXPECT_EQ(get(sent.front(), 5, 1), 2u) << "where it was";
    EXPECT_EQ(accept(listener), -again);
    say({40300, 8080, 2, 0, flag::reset, ""});
}

TEST_F(SixTest, AFloodOfRoutersAndNeighboursStaysSmall) {
    const std::uint64_t before = fs::host::state().heap_objects;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        const auto place = static_cast<std::uint8_t>(i);
        give(Router{.source = {0xFE80ull << 48, 0x1000 + i},
                    .prefix = {documentation + 0x10'0000 + i, 0},
                    .server = {documentation, i},
                    .station = place}
                 .says());
        give(icmp6({documentation, 0x10'0000 + i}, ::net::solicited_group(own), 135,
                   about_neighbour(own, 0, 1)));
        if (i % 100 == 0)
            pass_time(500);
    }
    pass_time(5000);
    EXPECT_LT(fs::host::state().heap_objects, before + 200);
    EXPECT_EQ(outside.six.own.all[1], own) << "what it had it has";
    know(client6);
    const int listener = listener_at(80);
    say({40400, 8080, 1, 0, flag::syn, ""});
    EXPECT_TRUE(next().has(flag::syn | flag::acknowledge));
    EXPECT_EQ(accept(listener), -again);
    say({40400, 8080, 2, 0, flag::reset, ""});
}

TEST_F(SixTest, AnAddressThatAnotherHasIsNotUsed) {
    // Its own goes with its life; the next it makes is another's.
    give(Router{.server_life = 0}.says());
    EXPECT_TRUE(std::ranges::find(outside.six.name_servers, name_server) == outside.six.name_servers.end());
    for (std::size_t i = 1; i < 4; ++i)
        if (!outside.six.own.all[i].none() && outside.six.own.all[i] != own)
            give(Router{.prefix = {outside.six.own.all[i].high, 0}, .prefix_life = 0}.says());
    pass_time(3 * 3600 * 1000ull); // no life is shortened below two hours: RFC 4862 section 5.5.3
    EXPECT_TRUE(outside.six.own.all[2].none());
    const Address6 wished{documentation + 0x77, station_part};
    give(Router{.prefix = {wished.high, 0}}.says());
    pass_time(600);
    give(icmp6(wished, all_nodes, 136, about_neighbour(wished, 0x20, 2)));
    pass_time(4000);
    EXPECT_FALSE(outside.six.own.has(wished));
}

} // namespace
} // namespace uk::wires
