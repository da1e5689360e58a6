// SPDX-License-Identifier: Apache-2.0
#include "drivers/clock/offset.hpp"

#include <gtest/gtest.h>

#include <random>

namespace {

// Rounds with delays of every kind between a TSC and one that is `ahead`.
drivers::TscOffset rounds(std::int64_t ahead, unsigned count, unsigned longest) {
    std::mt19937_64 random{42};
    std::uniform_int_distribution<std::uint64_t> delay{50, longest};
    drivers::TscOffset offset;
    std::uint64_t now = 1'000'000'000;
    for (unsigned i = 0; i < count; ++i) {
        const std::uint64_t before = now += delay(random);
        const std::uint64_t there = (now += delay(random)) + static_cast<std::uint64_t>(ahead);
        const std::uint64_t after = now += delay(random);
        offset.add(before, there, after);
    }
    return offset;
}

TEST(TscOffset, HoldsWhateverDelaysARound) {
    for (const std::int64_t ahead : {0l, 1l, -1l, 3000l, -3000l, 1'000'000'000'000l, -900'000'000l}) {
        const auto offset = rounds(ahead, 16, 400);
        EXPECT_TRUE(offset.is_known_to(400)) << ahead;
        EXPECT_NEAR(static_cast<double>(offset.ticks()), static_cast<double>(ahead), 400) << ahead;
        EXPECT_EQ(offset.exceeds(2400), std::abs(ahead) >= 3000) << ahead;
    }
}

TEST(TscOffset, NobodyIsBlamedForSlowAnswers) {
    EXPECT_FALSE(rounds(0, 16, 100'000'000).exceeds(0));
    EXPECT_FALSE(rounds(0, 1, 100).exceeds(0));
    EXPECT_FALSE(rounds(0, 1, 100'000).is_known_to(10));
    EXPECT_FALSE(drivers::TscOffset{}.exceeds(UINT32_MAX));
}

} // namespace
