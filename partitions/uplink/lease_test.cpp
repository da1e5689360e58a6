// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/lease_test.cpp - an uplink whose address outside comes by DHCP, from a server that the test plays: containers wait for
// it, and lose what they have where it is lost.
// Spec: RFC 2131, RFC 2132.
#include "partitions/uplink/world_test.hpp"

#include <gtest/gtest.h>

namespace uplink {
namespace {

using namespace test;
namespace flag = net::tcp_flag;
using net::Verdict;

constexpr std::uint8_t discover = 1, offer = 2, request = 3, acknowledge = 5, refuse = 6;
constexpr std::size_t dhcp_at = frame_header + 28, options_at = dhcp_at + 240;

struct UplinkLease : testing::Test {
    World world{two_containers(true)};
    Far& web_end = world.fars[0];

    static std::uint8_t kind_of(const Bytes& frame) {
        for (std::size_t at = options_at; at + 2 < frame.size() && get(frame, at, 1) != 255;) {
            if (get(frame, at, 1) == 53)
                return static_cast<std::uint8_t>(get(frame, at + 2, 1));
            at += 2 + get(frame, at + 1, 1);
        }
        return 0;
    }
    static void give(const Bytes& frame) {
        outside.arriving.push_back(frame);
        poll_all();
    }
    static void pass_half_second() {
        host::state().now += 500'000'000;
        run_clock();
        poll_all();
    }
    // Whoever is asked for is the gateway's station.
    void tell_station(const Bytes& question) {
        Bytes out(28);
        put(out, 0, 0x00010800, 4);
        put(out, 4, 0x06040002, 4);
        for (std::size_t i = 0; i < 6; ++i) {
            out[8 + i] = std::byte{gateway_mac[i]};
            out[18 + i] = std::byte{own_mac[i]};
        }
        put(out, 14, get(question, frame_header + 24, 4), 4);
        put(out, 24, world.station.address, 4);
        if (get(out, 14, 4) != world.station.address)
            give(frame_of(out, 0x0806));
    }
    // Runs time until a frame is there that `wanted` wants.
    template <typename Wanted> Bytes sent(Wanted wanted, unsigned half_seconds = 400) {
        for (unsigned i = 0; i < half_seconds; ++i) {
            while (!outside.sent.empty()) {
                const Bytes frame = outside.sent.front();
                outside.sent.pop_front();
                if (get(frame, 12, 2) == 0x0806)
                    tell_station(frame);
                else if (wanted(frame))
                    return frame;
            }
            pass_half_second();
        }
        ADD_FAILURE() << "no such frame was sent";
        return Bytes(options_at + 4);
    }
    Bytes said(std::uint8_t kind) {
        return sent([kind](const Bytes& frame) {
            return frame.size() > options_at && get(frame, 23, 1) == net::protocol::udp &&
                   get(frame, 36, 2) == 67 && kind_of(frame) == kind;
        });
    }
    void answer(const Bytes& to, std::uint8_t kind, std::uint32_t address, std::uint32_t mask = 0xFFFFFF00) {
        Bytes out = datagram(gateway, 67, 0xFFFFFFFF, 68, 240);
        constexpr std::size_t message = net::ip_header + net::udp_header;
        put(out, message, 0x02010600, 4);
        put(out, message + 4, get(to, dhcp_at + 4, 4), 4);
        put(out, message + 16, address, 4);
        std::copy(to.begin() + dhcp_at + 28, to.begin() + dhcp_at + 44, out.begin() + message + 28);
        put(out, message + 236, 0x63825363, 4);
        const auto option = [&out](std::uint8_t number, std::uint32_t word) {
            out.insert(out.end(), {std::byte{number}, std::byte{4}});
            out.resize(out.size() + 4);
            put(out, out.size() - 4, word, 4);
        };
        out.insert(out.end(), {std::byte{53}, std::byte{1}, std::byte{kind}});
        option(54, gateway);
        option(51, 120); // seconds
        option(1, mask);
        option(3, gateway);
        option(6, server);
        out.push_back(std::byte{255});
        put(out, 2, static_cast<std::uint32_t>(out.size()), 2);
        put(out, 24, static_cast<std::uint32_t>(out.size() - net::ip_header), 2);
        give(frame_of(with_sums(out), 0x0800, all_macs));
    }
    void lease(std::uint32_t address = own, std::uint32_t mask = 0xFFFFFF00) {
        answer(said(discover), offer, address, mask);
        answer(said(request), acknowledge, address, mask);
    }
    void ask(std::uint16_t port) {
        ASSERT_TRUE(web_end.put_into_lane(segment(web, port, far_away, 443, flag::syn)));
        poll_all();
    }
    static bool is_segment(const Bytes& frame) { return get(frame, 23, 1) == net::protocol::tcp; }
};

TEST_F(UplinkLease, ContainersThatAreEarlierThanTheLeaseWaitForIt) {
    ask(40000);
    pass_half_second();
    EXPECT_EQ(world.wires[0].refused[static_cast<std::size_t>(Verdict::target)], 0u);
    lease();
    EXPECT_EQ(world.station.address, own);
    const Bytes out = packet_of(sent(is_segment));
    EXPECT_EQ(get(out, 12, 4), own);
    EXPECT_EQ(get(out, 16, 4), far_away);
}

TEST_F(UplinkLease, WithoutOneTheyWaitFiveSecondsAtMost) {
    for (unsigned i = 0; i < 11; ++i)
        pass_half_second();
    ask(40000);
    EXPECT_EQ(world.wires[0].refused[static_cast<std::size_t>(Verdict::target)], 1u);
}

TEST_F(UplinkLease, ItsNameServersAreAsked) {
    lease();
    ASSERT_TRUE(web_end.put_into_lane(datagram(web, 40001, inside, 53)));
    poll_all();
    EXPECT_EQ(world.wires[0].refused[static_cast<std::size_t>(Verdict::target)], 0u);
    const Bytes out = packet_of(sent([](const Bytes& frame) { return get(frame, 36, 2) == 53; }));
    EXPECT_EQ(get(out, 16, 4), server);
}

TEST_F(UplinkLease, OneThatIsLostEndsWhatWasUnderIt) {
    lease();
    ask(40000);
    (void)sent(is_segment);
    answer(said(request), refuse, 0); // when it would be renewed
    EXPECT_EQ(world.station.address, 0u);
    EXPECT_FALSE(web_end.put_into_lane(segment(web, 40000, far_away, 443, flag::acknowledge)) && poll());
    EXPECT_GT(world.wires[0].refused[static_cast<std::size_t>(Verdict::target)], 0u);
    lease(own + 1);
    ASSERT_TRUE(web_end.put_into_lane(segment(web, 40000, far_away, 443, flag::acknowledge)));
    poll_all(); // of a connection that there is no more
    EXPECT_EQ(world.wires[0].refused[static_cast<std::size_t>(Verdict::no_state)], 1u);
    ask(40000);
    EXPECT_EQ(get(packet_of(sent(is_segment)), 12, 4), own + 1);
}

TEST_F(UplinkLease, OneThatOverlapsTheWiresIsNotUsed) {
    lease(0x64404D50);
    EXPECT_EQ(world.station.address, 0u);
    EXPECT_EQ(host::state().lines,
              std::vector<std::string>{"the lease's subnet overlaps that of the wires: it is not used"});
}

TEST_F(UplinkLease, ALinkThatWasPulledIsSaidAndAskedAnew) {
    lease();
    outside.link = false;
    pass_half_second();
    outside.link = true;
    pass_half_second();
    EXPECT_EQ(host::state().lines,
              (std::vector<std::string>{"the network card's link is down", "the network card's link is up"}));
    answer(said(request), acknowledge, own);
    EXPECT_EQ(world.station.address, own);
}

} // namespace
} // namespace uplink
