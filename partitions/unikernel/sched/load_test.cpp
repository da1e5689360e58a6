// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/load_test.cpp
#include "partitions/unikernel/sched/load.hpp"

#include <cmath>
#include <gtest/gtest.h>

namespace uk::sched {
namespace {

constexpr std::uint64_t second = 1'000'000'000;

double value(const LoadAverages& load, unsigned which) {
    return static_cast<double>(load.values().at(which)) / static_cast<double>(LoadAverages::one);
}

TEST(LoadAverages, NothingBeforeTheFirstPeriod) {
    LoadAverages load;
    load.catch_up(5 * second - 1, 7);
    EXPECT_EQ(load.values(), (std::array<std::uint64_t, 3>{}));
    EXPECT_TRUE(load.due(5 * second));
    load.catch_up(5 * second, 1);
    EXPECT_EQ(load.values(), (std::array<std::uint64_t, 3>{164, 34, 11})); // Linux's calc_load(0, EXP_n, 1)
    EXPECT_FALSE(load.due(10 * second - 1));
}

TEST(LoadAverages, ComeAsExponentialDecaysDo) {
    LoadAverages load;
    for (std::uint64_t now = 5; now <= 60; now += 5)
        load.catch_up(now * second, 2);
    const double minutes[] = {1, 5, 15};
    for (unsigned i = 0; i < 3; ++i)
        EXPECT_NEAR(value(load, i), 2 * (1 - std::exp(-1 / minutes[i])), 0.02) << minutes[i];
}

TEST(LoadAverages, ArriveAndGo) {
    LoadAverages load;
    for (std::uint64_t now = 5; now <= 7200; now += 5)
        load.catch_up(now * second, 3);
    for (unsigned i = 0; i < 3; ++i)
        EXPECT_EQ(value(load, i), 3);
    load.catch_up(7200 * second + 86'400 * second, 0);
    for (unsigned i = 0; i < 3; ++i)
        EXPECT_EQ(value(load, i), 0);
}

TEST(LoadAverages, AnIdleTimeCaughtUpAtOnceIsTheSameAsInSteps) {
    LoadAverages steps, once;
    for (LoadAverages* load : {&steps, &once})
        for (std::uint64_t now = 5; now <= 600; now += 5)
            load->catch_up(now * second, 10);
    for (std::uint64_t now = 605; now <= 720; now += 5)
        steps.catch_up(now * second, 0);
    once.catch_up(720 * second, 0);
    for (unsigned i = 0; i < 3; ++i)
        EXPECT_NEAR(value(once, i), value(steps, i), 0.1);
    EXPECT_FALSE(once.due(725 * second - 1));
    EXPECT_TRUE(once.due(725 * second));
}

} // namespace
} // namespace uk::sched
