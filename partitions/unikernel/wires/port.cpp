// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/port.cpp - what lwIP asks of its environment: random numbers, TCP's clock. Its memory is memory.cpp.
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/wires/stack.hpp"

#include <array>
#include <cstring>
#include <span>

#include <lwip/priv/tcp_priv.h>

namespace uk::wires {

namespace {

constexpr std::uint64_t tick_ns = std::uint64_t{TCP_TMR_INTERVAL} * 1'000'000;

void tick(sched::Timer& timer) {
    run_connections();
    if (tcp_active_pcbs != nullptr || tcp_tw_pcbs != nullptr)
        sched::arm(timer, deadline_after(tick_ns));
}
sched::Timer tcp_clock{&tick};

std::uint64_t rotate(std::uint64_t value, unsigned by) {
    return value << by | value >> (64 - by);
}

// SipHash-2-4 (Aumasson, Bernstein: "SipHash: a fast short-input PRF") of whole words.
std::uint64_t keyed_hash(const std::array<std::uint64_t, 2>& key, std::span<const std::uint64_t> words) {
    std::uint64_t a = key[0] ^ 0x736f6d6570736575, b = key[1] ^ 0x646f72616e646f6d,
                  c = key[0] ^ 0x6c7967656e657261, d = key[1] ^ 0x7465646279746573;
    const auto rounds = [&](unsigned count) {
        while (count-- > 0) {
            a += b;
            c += d;
            b = rotate(b, 13) ^ a;
            d = rotate(d, 16) ^ c;
            a = rotate(a, 32);
            c += b;
            a += d;
            b = rotate(b, 17) ^ c;
            d = rotate(d, 21) ^ a;
            c = rotate(c, 32);
        }
    };
    const auto take = [&](std::uint64_t word) {
        d ^= word;
        rounds(2);
        a ^= word;
    };
    for (const std::uint64_t word : words)
        take(word);
    take(std::uint64_t{words.size_bytes()} << 56);
    c ^= 0xFF;
    rounds(4);
    return a ^ b ^ c ^ d;
}

} // namespace

} // namespace uk::wires

extern "C" {

void tcp_timer_needed() {
    using namespace uk::wires;
    if (!tcp_clock.armed)
        uk::sched::arm(tcp_clock, uk::deadline_after(tick_ns));
}

u32_t sys_now() {
    return static_cast<u32_t>(uk::monotonic_ns() / 1'000'000);
}

std::uint32_t caisson_lwip_random() {
    std::uint32_t value = 0;
    uk::fs::seam::random(std::as_writable_bytes(std::span{&value, 1}));
    return value;
}

u32_t caisson_lwip_sequence(const ip_addr_t* local, u16_t local_port, const ip_addr_t* remote,
                            u16_t remote_port) {
    static std::array<std::uint64_t, 2> key{};
    if (key[0] == 0 && key[1] == 0)
        uk::fs::seam::random(std::as_writable_bytes(std::span{key}));
    constexpr std::uint64_t four_microseconds = 4000;
    std::array<std::uint64_t, 5> words{std::uint64_t{local_port} << 16 | remote_port};
    std::size_t count = 1;
    if (IP_IS_V6(local)) {
        std::memcpy(&words[1], ip_2_ip6(local)->addr, 16);
        std::memcpy(&words[3], ip_2_ip6(remote)->addr, 16);
        count = words.size();
    } else {
        words[count++] = std::uint64_t{ip_2_ip4(local)->addr} << 32 | ip_2_ip4(remote)->addr;
    }
    return static_cast<u32_t>(uk::monotonic_ns() / four_microseconds +
                              uk::wires::keyed_hash(key, std::span{words}.first(count)));
}
}
