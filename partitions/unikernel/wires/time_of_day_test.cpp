// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/time_of_day_test.cpp - the wall clock after a time server that the test plays, frame by frame.
#include "partitions/net/checksum.hpp"
#include "partitions/net/words_test.hpp"
#include "partitions/unikernel/fs/host_seam.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/net/host_seam.hpp"
#include "partitions/unikernel/net/test_sockets.hpp"
#include "partitions/unikernel/wires/card_test.hpp"
#include "partitions/unikernel/wires/wires.hpp"

namespace uk::wires {
namespace {

using ::net::test::Bytes;
using ::net::test::get;
using ::net::test::put;
using test::arriving, test::card, test::sent;

constexpr std::uint32_t server = 0xC0000201, own = 0xC000020A;
constexpr std::uint64_t own_station = 0x020000000001, server_station = 0x020000000002;
constexpr std::size_t udp_at = 14 + 20, time_at = udp_at + 8;
constexpr std::uint64_t second_ns = 1'000'000'000, in_2033 = 2'000'000'000;

std::array<::net::Peer, 1> peers{{{.outside = true, .own = own}}};
const std::array<TimeServer, 1> servers{{{server, 1123}}};
Outside outside{{.card = card(), .address = own}, peers.data(), servers};
std::array<::net::Rule, 1> rules{{{0, false, ::net::protocol::udp, 1123, 1123, 0, server, 0xFFFFFFFF}}};

void deliver(const Bytes& frame) {
    arriving.push_back(frame);
    while (poll()) {
    }
}

void head(Bytes& out, std::uint32_t type) {
    put(out, 0, static_cast<std::uint32_t>(own_station >> 16), 4);
    put(out, 4, own_station & 0xFFFF, 2);
    put(out, 6, static_cast<std::uint32_t>(server_station >> 16), 4);
    put(out, 10, server_station & 0xFFFF, 2);
    put(out, 12, type, 2);
}

// RFC 826: the server has its address.
void tell_station() {
    Bytes out(60);
    head(out, 0x0806);
    put(out, 14, 0x00010800, 4);
    put(out, 18, 0x06040002, 4);
    std::copy_n(out.begin() + 6, 6, out.begin() + 22);
    put(out, 28, server, 4);
    std::copy_n(out.begin(), 6, out.begin() + 32);
    put(out, 38, own, 4);
    deliver(out);
}

// The next question, within ten minutes.
Bytes question() {
    for (unsigned i = 0; i < 1200; ++i) {
        while (!sent.empty()) {
            const Bytes frame = sent.front();
            sent.pop_front();
            if (get(frame, 12, 2) == 0x0806)
                tell_station();
            else if (frame.size() == time_at + 48 && get(frame, 23, 1) == 17 &&
                     get(frame, udp_at + 2, 2) == 1123)
                return frame;
        }
        net::host::now() += second_ns / 2;
        net::host::run_timers();
    }
    ADD_FAILURE() << "nobody was asked";
    return Bytes(time_at + 48);
}

Bytes answer(const Bytes& to, std::uint64_t unix_seconds) {
    Bytes out(time_at + 48);
    head(out, 0x0800);
    put(out, 14, 0x4500, 2);
    put(out, 16, static_cast<std::uint32_t>(out.size() - 14), 2);
    put(out, 22, 0x4011, 2);
    put(out, 26, server, 4);
    put(out, 30, own, 4);
    put(out, udp_at, 1123, 2);
    put(out, udp_at + 2, get(to, udp_at, 2), 2);
    put(out, udp_at + 4, 56, 2);
    put(out, time_at, 0x24020600, 4);
    std::copy_n(to.begin() + time_at + 40, 8, out.begin() + time_at + 24);
    put(out, time_at + 40, static_cast<std::uint32_t>(unix_seconds + 2'208'988'800), 4);
    ::net::make_sums(std::span{out}.subspan(14));
    return out;
}

struct TimeOfDay : net::test::SocketTest {
    TimeOfDay() {
        static const bool started = start({0, 0, {}, peers, rules, &outside});
        EXPECT_TRUE(started);
        heap_before = fs::host::state().heap_objects;
        allowed_objects = 1000;
    }
};

TEST_F(TimeOfDay, FollowsWhomItAsked) {
    EXPECT_TRUE(awaits_time_of_day());
    const Bytes first = question();
    EXPECT_EQ(get(first, time_at, 1), 0x23u);
    EXPECT_GE(get(first, udp_at, 2), 49152u);
    Bytes forged = answer(first, in_2033);
    put(forged, time_at + 24, get(forged, time_at + 24, 4) ^ 1, 4);
    ::net::make_sums(std::span{forged}.subspan(14));
    deliver(forged);
    EXPECT_TRUE(awaits_time_of_day()) << "the nonce is another";
    deliver(answer(first, in_2033));
    EXPECT_FALSE(awaits_time_of_day());
    EXPECT_EQ(realtime_ns() / second_ns, in_2033);
    deliver(answer(first, in_2033 + 1000));
    EXPECT_EQ(realtime_ns() / second_ns, in_2033) << "there is no question any more";

    // 17 minutes later, and a clock that is a little behind: no step, but half a second of it is made up for at most.
    net::host::now() += 1024 * second_ns;
    const Bytes second = question();
    const std::uint64_t before = realtime_ns(), clock = before / second_ns * second_ns;
    move_realtime(static_cast<std::int64_t>(clock - before - 100'000'000)); // a tenth before a whole one
    deliver(answer(second, clock / second_ns));
    EXPECT_EQ(realtime_ns(), clock - 100'000'000);
    net::host::now() += second_ns / 2;
    net::host::run_timers();
    EXPECT_EQ(realtime_ns(), clock - 100'000'000 + 250'000);
}

} // namespace
} // namespace uk::wires
