// SPDX-License-Identifier: Apache-2.0
// partitions/net/neighbour_test.cpp - extension headers, and what neighbours say.
#include "partitions/net/neighbour.hpp"
#include "partitions/net/six_test.hpp"

#include <gtest/gtest.h>

namespace {

using namespace ::net::test;
using net::Address6;
using net::Neighbours;
using net::Verdict;

constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, options = 60;

Bytes padding(std::size_t bytes) { // one header of options that pad
    Bytes out(bytes);
    put(out, 1, static_cast<std::uint32_t>(bytes / 8 - 1), 1);
    for (std::size_t at = 2; at < bytes;) {
        const std::size_t length = std::min<std::size_t>(bytes - at - 2, 255);
        put(out, at, 1 << 8 | static_cast<std::uint32_t>(length), 2);
        at += 2 + length;
        if (bytes - at == 1) // the option that is one byte
            break;
    }
    return out;
}
Bytes changed(Bytes bytes, std::size_t at, std::uint32_t value) {
    put(bytes, at, value, 1);
    return bytes;
}

struct Stripped {
    Verdict verdict;
    Bytes left;
};
Stripped strip(Bytes packet) {
    std::span<std::byte> view{packet};
    const Verdict verdict = net::strip_extensions(view);
    return {verdict, {view.begin(), view.end()}};
}

const Bytes plain = tcp6(client6, 5000, own6, 80, net::tcp_flag::syn);

TEST(Extensions, AreTakenOff) {
    EXPECT_EQ(strip(plain).left, plain);
    EXPECT_EQ(strip(with_extension(plain, hop_by_hop, padding(8))).left, plain);
    EXPECT_EQ(strip(with_extension(plain, options, padding(64))).left, plain);
    Bytes done(8);
    put(done, 2, 4, 1); // some type, no segments left
    EXPECT_EQ(strip(with_extension(plain, routing, done)).left, plain);
    const Bytes chain = with_extension(
        with_extension(with_extension(plain, options, padding(8)), routing, done), hop_by_hop, padding(16));
    EXPECT_EQ(strip(chain).verdict, Verdict::pass);
    EXPECT_EQ(strip(chain).left, plain);
}

TEST(Extensions, WhatCannotBeJudgedIsNone) {
    EXPECT_EQ(strip(with_extension(plain, fragment, Bytes(8))).verdict, Verdict::fragment)
        << "a whole one too";
    EXPECT_EQ(strip(with_extension(with_extension(plain, fragment, Bytes(8)), options, padding(8))).verdict,
              Verdict::fragment);
    Bytes overlapping(8);
    put(overlapping, 2, 8 << 3 | 1, 2);
    EXPECT_EQ(strip(with_extension(plain, fragment, overlapping)).verdict, Verdict::fragment);
    Bytes way(8);
    EXPECT_EQ(strip(with_extension(plain, routing, way)).verdict, Verdict::malformed) << "type 0";
    put(way, 2, 4, 1);
    put(way, 3, 1, 1);
    EXPECT_EQ(strip(with_extension(plain, routing, way)).verdict, Verdict::malformed) << "goes on elsewhere";
    const Bytes twice = with_extension(with_extension(plain, hop_by_hop, padding(8)), hop_by_hop, padding(8));
    EXPECT_EQ(strip(twice).verdict, Verdict::malformed);
    EXPECT_EQ(strip(with_extension(plain, options, padding(256))).verdict, Verdict::pass);
    EXPECT_EQ(strip(with_extension(plain, options, padding(264))).verdict, Verdict::malformed);
    Bytes chain = plain;
    for (unsigned count = 0; count < net::most_extensions; ++count)
        chain = with_extension(chain, options, padding(8));
    EXPECT_EQ(strip(chain).verdict, Verdict::pass);
    EXPECT_EQ(strip(with_extension(chain, options, padding(8))).verdict, Verdict::malformed);
    // Options: one that asks to be refused where it is not known (a jumbogram's), one that goes beyond.
    EXPECT_EQ(strip(with_extension(plain, hop_by_hop, changed(padding(8), 2, 0xC2))).verdict,
              Verdict::malformed);
    EXPECT_EQ(strip(with_extension(plain, hop_by_hop, changed(padding(8), 2, 0x05))).verdict, Verdict::pass);
    EXPECT_EQ(strip(with_extension(plain, options, changed(padding(8), 3, 5))).verdict, Verdict::malformed);
    EXPECT_EQ(strip(with_extension(plain, options, changed(padding(8), 1, 200))).verdict, Verdict::malformed);
    for (std::size_t bytes = 0; bytes < net::ip6_header; ++bytes)
        EXPECT_EQ(strip({plain.begin(), plain.begin() + static_cast<long>(bytes)}).verdict,
                  Verdict::malformed);
    const Bytes whole = with_extension(plain, options, padding(8));
    for (std::size_t bytes = net::ip6_header; bytes < net::ip6_header + 8; ++bytes)
        EXPECT_EQ(strip({whole.begin(), whole.begin() + static_cast<long>(bytes)}).verdict,
                  Verdict::malformed);
}

Bytes advertisement(const Bytes& more = {}) { // of a router
    Bytes out(12);
    put(out, 0, 64, 1);
    put(out, 2, 1800, 2);
    out.insert(out.end(), more.begin(), more.end());
    return out;
}
Bytes option(std::uint8_t kind, std::uint8_t units, std::size_t bytes) {
    Bytes out(bytes);
    put(out, 0, kind, 1);
    put(out, 1, units, 1);
    return out;
}

TEST(Neighbours, AreKnownByWhatTheySay) {
    constexpr std::uint8_t router = 134, solicitation = 135, answer = 136, query = 130, redirect = 137;
    const Address6 group = net::solicited_group(own6);
    const auto kind = [](const Bytes& packet) { return net::kind_of_neighbours(packet); };
    EXPECT_EQ(kind(icmp6(router6, all_nodes, router, advertisement())), Neighbours::router);
    EXPECT_EQ(kind(icmp6(client6, group, solicitation, about_neighbour(own6, 0, 1))), Neighbours::neighbour);
    EXPECT_EQ(kind(icmp6({}, group, solicitation, about_neighbour(own6))), Neighbours::neighbour)
        << "is it free?";
    EXPECT_EQ(kind(icmp6(client6, own6, answer, about_neighbour(client6, 0x60, 2))), Neighbours::neighbour);
    EXPECT_EQ(kind(icmp6(router6, all_nodes, query, Bytes(20), 1)), Neighbours::groups);
    // Who is behind a router sends with fewer hops left.
    for (const std::uint8_t hops : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{64}, std::uint8_t{254}}) {
        EXPECT_EQ(kind(icmp6(router6, all_nodes, router, advertisement(), hops)), Neighbours::no);
        EXPECT_EQ(kind(icmp6(client6, group, solicitation, about_neighbour(own6), hops)), Neighbours::no);
        EXPECT_EQ(kind(icmp6(client6, own6, answer, about_neighbour(client6, 0x60), hops)), Neighbours::no);
    }
    EXPECT_EQ(kind(icmp6(router6, all_nodes, query, Bytes(20))), Neighbours::no);
    EXPECT_EQ(kind(icmp6(far6, all_nodes, router, advertisement())), Neighbours::no) << "not of this link";
    EXPECT_EQ(kind(icmp6(router6, all_nodes, router, advertisement(), 255, 1)), Neighbours::no) << "a code";
    EXPECT_EQ(kind(icmp6(router6, own6, redirect, Bytes(36))), Neighbours::no);
    EXPECT_EQ(kind(icmp6(client6, all_nodes, answer, about_neighbour(client6, 0x60))), Neighbours::no)
        << "an answer to everybody";
    EXPECT_EQ(kind(icmp6(client6, all_nodes, answer, about_neighbour(client6, 0x20))), Neighbours::neighbour);
    EXPECT_EQ(kind(icmp6(client6, own6, answer, about_neighbour(all_nodes, 0x60))), Neighbours::no);
    EXPECT_EQ(kind(icmp6({}, own6, solicitation, about_neighbour(own6))), Neighbours::no);
    EXPECT_EQ(kind(icmp6({}, group, solicitation, about_neighbour(own6, 0, 1))), Neighbours::no);
    EXPECT_EQ(kind(plain), Neighbours::no);
}

TEST(Neighbours, OptionsLieWithinTheMessage) {
    const auto kind = [](const Bytes& more) {
        return net::kind_of_neighbours(icmp6(router6, all_nodes, 134, advertisement(more)));
    };
    EXPECT_EQ(kind(option(5, 1, 8)), Neighbours::router);
    EXPECT_EQ(kind(option(5, 0, 8)), Neighbours::no) << "without length: whoever walks them stays there";
    EXPECT_EQ(kind(option(5, 2, 8)), Neighbours::no);
    EXPECT_EQ(kind(option(5, 1, 7)), Neighbours::no);
    EXPECT_EQ(kind(option(1, 1, 8)), Neighbours::router);
    EXPECT_EQ(kind(option(1, 2, 16)), Neighbours::no) << "no address of Ethernet";
    EXPECT_EQ(kind(changed(option(1, 1, 8), 2, 0x33)), Neighbours::no) << "a group's";
    const Bytes whole = icmp6(router6, all_nodes, 134, advertisement());
    for (std::size_t bytes = 0; bytes < whole.size(); ++bytes)
        EXPECT_EQ(net::kind_of_neighbours({whole.data(), bytes}), Neighbours::no) << bytes;
}

TEST(Neighbours, AStationSaysOnlyWhatIsForThem) {
    EXPECT_TRUE(net::is_said_to_neighbours(icmp6(own6, all_nodes, 133, Bytes(4))));
    EXPECT_TRUE(net::is_said_to_neighbours(icmp6(own6, client6, 136, about_neighbour(own6))));
    EXPECT_FALSE(net::is_said_to_neighbours(icmp6(own6, all_nodes, 134, advertisement())));
    EXPECT_FALSE(net::is_said_to_neighbours(icmp6(own6, client6, 1, Bytes(60))))
        << "an error goes by the rules";
    EXPECT_FALSE(net::is_said_to_neighbours(plain));
    Bytes alert = padding(8);
    const Bytes report = icmp6(own6, net::solicited_group(own6), 131, Bytes(20), 1);
    EXPECT_TRUE(net::is_said_to_neighbours(with_extension(report, hop_by_hop, alert)));
    EXPECT_FALSE(net::is_said_to_neighbours(with_extension(plain, hop_by_hop, alert)));
    EXPECT_FALSE(net::is_said_to_neighbours(Bytes(10)));
}

} // namespace
