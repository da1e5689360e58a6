// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/vcpu/breath.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace {

// A processor whose time passes as it works; the longest that it held back anything.
struct Held {
    std::uint64_t ticks_a_us, ticks_a_byte;
    std::uint64_t now = 0, opened = 0, longest = 0;
    void work(std::size_t bytes) { now += bytes * ticks_a_byte; }
    void open() {
        longest = std::max(longest, now - opened);
        opened = now;
    }
};

std::uint64_t longest_us(Held cpu, std::size_t bytes, std::size_t piece) {
    std::vector<std::byte> memory(bytes);
    std::size_t done = 0;
    vcpu::in_breaths(
        std::span{memory}, piece,
        [&](std::span<std::byte> part) {
            EXPECT_EQ(part.data(), memory.data() + done);
            done += part.size();
            cpu.work(part.size());
        },
        [&] { cpu.open(); });
    EXPECT_EQ(done, bytes);
    cpu.open();
    return cpu.longest / cpu.ticks_a_us;
}

TEST(Breath, NothingIsHeldBackForLong) {
    constexpr std::size_t window = 2 << 20;
    // 1.5 GHz: 12 cycles a byte are hashed, a byte is scrubbed in 3.75.
    EXPECT_LE(longest_us({1500, 12}, window, vcpu::hash_piece), vcpu::longest_breath_us);
    EXPECT_LE(longest_us({1500, 4}, window, vcpu::scrub_piece), vcpu::longest_breath_us);
    EXPECT_LE(longest_us({3000, 7}, window + 4096, vcpu::scrub_piece), vcpu::longest_breath_us);
    EXPECT_GT(longest_us({1500, 4}, window, window),
              vcpu::longest_breath_us); // what a window at once would do
    EXPECT_EQ(longest_us({1, 1}, 0, vcpu::scrub_piece), 0u);
}

} // namespace
