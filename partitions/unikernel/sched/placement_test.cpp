// SPDX-License-Identifier: Apache-2.0
// Which CPU gets a thread.
#include "partitions/unikernel/sched/placement.hpp"

#include <array>

#include <gtest/gtest.h>

namespace {

using uk::sched::choose_cpu;
using uk::sched::next_of;
using uk::sched::Placement;

constexpr auto same_load = [](std::uint32_t) { return 1; };

TEST(Placement, TheNextOfASetGoesRound) {
    EXPECT_EQ(next_of(0b1010, 0), 1U);
    EXPECT_EQ(next_of(0b1010, 1), 1U);
    EXPECT_EQ(next_of(0b1010, 2), 3U);
    EXPECT_EQ(next_of(0b1010, 4), 1U);
    EXPECT_EQ(next_of(std::uint64_t{1} << 63, 63), 63U);
    EXPECT_EQ(next_of(1, 63), 0U);
}

TEST(Placement, WhereItRanLastIfThatIsIdle) {
    EXPECT_EQ(choose_cpu({0b1111, 0b0110, 2, 0}, same_load), 2U);
}

TEST(Placement, AnyIdleCpuThatIsAllowed) {
    EXPECT_EQ(choose_cpu({0b1111, 0b1000, 0, 0}, same_load), 3U);
    EXPECT_EQ(choose_cpu({0b0011, 0b1000, 1, 0}, same_load), 1U) << "the idle one is not allowed";
    EXPECT_EQ(choose_cpu({0b0011, 0b1001, 1, 0}, same_load), 0U);
}

TEST(Placement, NeverWhereItMayNotRun) {
    for (std::uint64_t allowed = 1; allowed < 16; ++allowed)
        for (std::uint64_t idle = 0; idle < 16; ++idle)
            for (std::uint32_t last = 0; last < 4; ++last)
                for (std::uint32_t turn = 0; turn < 4; ++turn) {
                    const std::uint32_t cpu = choose_cpu({allowed, idle, last, turn}, same_load);
                    EXPECT_NE(allowed >> cpu & 1, 0U);
                    if ((allowed & idle) != 0) {
                        EXPECT_NE(idle >> cpu & 1, 0U) << "no CPU stays idle";
                    }
                }
}

TEST(Placement, OfTwoBusyOnesTheLessBusy) {
    const std::array<int, 4> loads{3, 2, 1, 5};
    const auto load = [&loads](std::uint32_t cpu) { return loads[cpu]; };
    EXPECT_EQ(choose_cpu({0b1111, 0, 0, 2}, load), 2U);
    EXPECT_EQ(choose_cpu({0b1111, 0, 0, 3}, load), 0U);
    EXPECT_EQ(choose_cpu({0b1111, 0, 1, 1}, load), 1U);
}

} // namespace
