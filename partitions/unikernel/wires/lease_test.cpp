// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/lease_test.cpp - an address by DHCP, from a server that the test plays: asked for, taken, renewed, given up.
// Spec: RFC 2131, RFC 2132.
#include "partitions/net/checksum.hpp"
#include "partitions/net/words_test.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"
#include "partitions/unikernel/wires/card_test.hpp"
#include "partitions/unikernel/wires/wires.hpp"

#include <vector>

namespace uk::wires {
namespace {

using ::net::test::Bytes;
using net::test::inet_address;
using test::arriving, test::card, test::sent;
using Station = std::array<std::uint8_t, 6>;

constexpr std::uint32_t server = 0xC0000201, offered = 0xC000020A, inside = 0x64404D02;
constexpr Station own_station{2, 0, 0, 0, 0, 1}, server_station{2, 0, 0, 0, 0, 2},
    everybody{255, 255, 255, 255, 255, 255};
constexpr std::uint8_t discover = 1, offer = 2, request = 3, acknowledge = 5, refuse = 6;
constexpr int netunreach = 101, inprogress = 115;

using ::net::test::get;
using ::net::test::put;

std::array<::net::Peer, 1> peers{{{.outside = true, .inside = 0x64404D00, .inside_mask = 0xFFFFFF00}}};
Outside outside{{.card = card(), .leased = true}, peers.data()};
std::array<::net::Rule, 1> rules{{{0, false, ::net::protocol::tcp, 443, 443}}};

constexpr std::size_t dhcp_at = 14 + 20 + 8, options_at = dhcp_at + 240;

std::uint8_t kind_of(const Bytes& frame) {
    for (std::size_t at = options_at; at + 2 < frame.size() && get(frame, at, 1) != 255;) {
        if (get(frame, at, 1) == 53)
            return static_cast<std::uint8_t>(get(frame, at + 2, 1));
        at += 2 + get(frame, at + 1, 1);
    }
    return 0;
}

struct Lease : net::test::SocketTest {
    std::uint32_t mask = 0xFFFFFF00;
    Lease() {
        // As a container with wires has it: the lease may not meet their subnet.
        static const bool started = start({inside, 24, {}, peers, rules, &outside});
        EXPECT_TRUE(started);
        heap_before = fs::host::state().heap_objects;
        allowed_objects = 1000;
    }
    // Runs time until the client says that, and gives what it said.
    Bytes said(std::uint8_t kind, unsigned half_seconds = 200) {
        for (unsigned i = 0; i < half_seconds; ++i) {
            while (!sent.empty()) {
                const Bytes frame = sent.front();
                sent.pop_front();
                if (get(frame, 12, 2) == 0x0806)
                    tell_station();
                if (frame.size() > options_at && get(frame, 12, 2) == 0x0800 && get(frame, 23, 1) == 17 &&
                    get(frame, 36, 2) == 67 && kind_of(frame) == kind)
                    return frame;
            }
            net::host::now() += 500'000'000;
            net::host::run_timers();
        }
        ADD_FAILURE() << "the client did not say " << int{kind};
        return Bytes(options_at + 4);
    }
    // RFC 826: the server has its address.
    void tell_station() {
        Bytes out(60);
        for (std::size_t i = 0; i < 6; ++i) {
            out[i] = out[32 + i] = std::byte{own_station[i]};
            out[6 + i] = out[22 + i] = std::byte{server_station[i]};
        }
        put(out, 12, 0x0806, 2);
        put(out, 14, 0x00010800, 4);
        put(out, 18, 0x06040002, 4);
        put(out, 28, server, 4);
        put(out, 38, outside.address, 4);
        arriving.push_back(out);
        while (poll()) {
        }
    }
    void answer(const Bytes& to, std::uint8_t kind, std::uint32_t address, std::uint32_t gateway = server,
                std::uint32_t seconds = 3600, const Station& station = everybody) {
        Bytes out(options_at);
        for (std::size_t i = 0; i < 6; ++i) {
            out[i] = std::byte{station[i]};
            out[6 + i] = std::byte{server_station[i]};
        }
        put(out, 12, 0x0800, 2);
        put(out, 14, 0x45, 1);
        put(out, 22, 64 << 8 | 17, 2);
        put(out, 26, server, 4);
        put(out, 30, station == everybody ? 0xFFFFFFFF : address, 4);
        put(out, 34, 67, 2);
        put(out, 36, 68, 2);
        put(out, dhcp_at, 0x02010600, 4);
        put(out, dhcp_at + 4, get(to, dhcp_at + 4, 4), 4);
        put(out, dhcp_at + 16, address, 4);
        std::copy(to.begin() + dhcp_at + 28, to.begin() + dhcp_at + 44, out.begin() + dhcp_at + 28);
        put(out, dhcp_at + 236, 0x63825363, 4);
        const auto option = [&out](std::uint8_t number, std::initializer_list<std::uint32_t> words) {
            out.push_back(std::byte{number});
            out.push_back(static_cast<std::byte>(4 * words.size()));
            for (const std::uint32_t word : words) {
                out.resize(out.size() + 4);
                put(out, out.size() - 4, word, 4);
            }
        };
        out.insert(out.end(), {std::byte{53}, std::byte{1}, std::byte{kind}});
        option(54, {server});
        option(51, {seconds});
        option(1, {mask});
        option(3, {gateway});
        option(6, {0xC0000203, 0xC6336401});
        out.push_back(std::byte{255});
        out.resize(std::max<std::size_t>(out.size(), dhcp_at + 300));
        put(out, 16, static_cast<std::uint32_t>(out.size() - 14), 2);
        put(out, 38, static_cast<std::uint32_t>(out.size() - 34), 2);
        ::net::make_sums(std::span{out}.subspan(14));
        arriving.push_back(out);
        while (poll()) {
        }
    }
};

TEST_F(Lease, IsAskedForTakenRefusedAndTakenAgain) {
    const int client = make(net::family::inet, net::Type::stream);
    EXPECT_EQ(connect(client, inet_address(0xCB007107, 443)), netunreach) << "there is no address yet";
    const Bytes first = said(discover);
    EXPECT_EQ(get(first, 26, 4), 0u);
    EXPECT_EQ(get(first, 30, 4), 0xFFFFFFFFu);
    answer(first, offer, offered);
    EXPECT_EQ(outside.address, 0u);
    answer(said(request), acknowledge, offered);
    EXPECT_EQ(outside.address, offered);
    EXPECT_EQ(outside.prefix, 24u);
    EXPECT_EQ(outside.gateway, server);
    EXPECT_EQ(peers[0].own, offered);
    EXPECT_EQ(outside.name_servers[0], 0xC0000203u);
    EXPECT_EQ(outside.name_servers[1], 0xC6336401u);
    EXPECT_EQ(connect(client, inet_address(0xCB007107, 443)), inprogress);
    // In time it asks again, is refused, gives the address up and begins anew.
    answer(said(request, 8000), refuse, 0);
    EXPECT_EQ(outside.address, 0u);
    EXPECT_EQ(peers[0].own, 0u);
    answer(said(discover, 400), offer, offered + 1);
    answer(said(request), acknowledge, offered + 1);
    EXPECT_EQ(outside.address, offered + 1);
}

TEST_F(Lease, ThatMeetsTheWiresIsNotUsed) {
    // The lease of before runs out.
    answer(said(request, 8000), refuse, 0);
    answer(said(discover, 400), offer, inside + 7);
    answer(said(request), acknowledge, inside + 7);
    EXPECT_EQ(outside.address, 0u);
    EXPECT_EQ(peers[0].own, 0u);
}

TEST_F(Lease, OfAnAddressThatNoHostHasIsNotUsed) {
    for (const std::uint32_t address : {0x7F000001u, 0xE0000005u, 0x00000005u}) {
        answer(said(discover, 8000), offer, address);
        const Bytes asked = said(request);
        answer(asked, acknowledge, address);
        EXPECT_EQ(outside.address, 0u) << address;
        answer(said(request, 8000), refuse, 0);
    }
}

TEST_F(Lease, OfASubnetWithHolesIsNotUsed) {
    mask = 0xFF00FF00;
    answer(said(discover, 8000), offer, offered);
    answer(said(request), acknowledge, offered);
    EXPECT_EQ(outside.address, 0u);
    mask = 0xFFFFFF00;
    answer(said(request, 8000), refuse, 0);
    static unsigned asked = 0;
    outside.name_servers_may_differ = [] { ++asked; };
    run_outside_clock();
    EXPECT_EQ(asked, 0u) << "there is no lease";
    answer(said(discover, 400), offer, offered);
    answer(said(request), acknowledge, offered);
    EXPECT_EQ(outside.address, offered);
    run_outside_clock();
    EXPECT_EQ(asked, 1u);
    outside.name_servers_may_differ = nullptr;
}

TEST_F(Lease, IsAskedForAgainWhenACableWasPulledAndPutBack) {
    static bool link = true;
    using News = std::pair<Outside::News, std::uint32_t>;
    static std::vector<News> told;
    outside.card.has_link = [](void*) { return link; };
    outside.tell = [](Outside::News news) { told.emplace_back(news, outside.address); };
    ASSERT_EQ(outside.address, offered);
    sent.clear();
    link = false;
    run_outside_clock();
    EXPECT_TRUE(sent.empty());
    link = true;
    run_outside_clock();
    answer(said(request, 10), refuse, 0); // another network's server
    EXPECT_EQ(outside.address, 0u);
    answer(said(discover, 400), offer, offered + 2);
    answer(said(request), acknowledge, offered + 2);
    EXPECT_EQ(outside.address, offered + 2);
    // Programs hear of an address that goes while it is there, and of one that comes when it is.
    const std::vector<News> expected{{Outside::News::link, offered},
                                     {Outside::News::link, offered},
                                     {Outside::News::no_address, offered},
                                     {Outside::News::address, offered + 2}};
    EXPECT_EQ(told, expected);
    answer(said(request, 8000), acknowledge, offered + 2); // the same again: no news
    EXPECT_EQ(told, expected);
    outside.card.has_link = nullptr;
    outside.tell = nullptr;
}

} // namespace
} // namespace uk::wires
