// SPDX-License-Identifier: Apache-2.0
// partitions/net/pace_test.cpp - how much passes in a time, and how long one waits.
#include "partitions/net/pace.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

namespace {

constexpr std::uint64_t second = 1'000'000'000, millisecond = 1'000'000;

TEST(Pace, WhatIsSavedPassesAtOnceTheRestInItsTime) {
    net::Pace pace{100'000}; // saves a tenth of a second
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_LE(pace.pay(1000, second), second);
    EXPECT_EQ(pace.pay(1000, second), second + 10 * millisecond);
    EXPECT_EQ(pace.pay(500, second), second + 15 * millisecond);
    EXPECT_EQ(pace.pay(1000, second + 12 * millisecond), second + 25 * millisecond);
    // Later all of it is there again, and no more than that.
    for (unsigned i = 0; i < 10; ++i)
        EXPECT_LE(pace.pay(1000, 9 * second), 9 * second);
    EXPECT_EQ(pace.pay(1000, 9 * second), 9 * second + 10 * millisecond);
}

TEST(Pace, WhoWouldWaitForTooLongIsToldAndPaysNothing) {
    net::Pace pace{100'000};
    unsigned told = 0;
    std::uint64_t last = 0;
    while (const auto at = pace.pay(1000, second)) {
        last = *at;
        ++told;
    }
    EXPECT_EQ(told, 10u + 96u); // saved, and as long as 64 full packets take
    EXPECT_EQ(last, second + 960 * millisecond);
    EXPECT_FALSE(pace.pay(1000, second));
    EXPECT_EQ(pace.pay(1000, second + 10 * millisecond), last + 10 * millisecond);
}

TEST(Pace, WhatIsGivenBackAnotherTakes) {
    net::Pace pace{100'000};
    for (unsigned i = 0; i < 12; ++i)
        (void)pace.pay(1000, second);
    const auto at = pace.pay(700, second);
    pace.give_back(700);
    EXPECT_EQ(pace.pay(700, second), at);
}

TEST(Pace, ALowRateLetsAPacketPassAndSomeWait) {
    net::Pace pace{1000};
    EXPECT_LE(pace.pay(1500, second), second);
    EXPECT_LE(pace.pay(1500, second), second);
    EXPECT_EQ(pace.pay(1500, second), second + 3 * second / 2);
    net::Pace large{1000};
    EXPECT_LE(large.pay(60'000, second), second); // larger than what is saved
}

// In every stretch of time: sorted by when they go, from any one to any other.
TEST(Pace, NoMoreThanItsRateAndDepthHoweverItIsAsked) {
    for (const std::uint64_t rate : {std::uint64_t{100'000}, std::uint64_t{777'777'777}}) {
        net::Pace pace{rate};
        struct Gone {
            std::uint64_t at, bytes;
        };
        std::vector<Gone> gone;
        std::uint64_t now = second, last = 0;
        for (std::uint64_t i = 0; i < 200'000; ++i) {
            now += i % 97 * 991;
            const std::uint64_t bytes = 1 + i % 1500;
            const auto at = pace.pay(bytes, now);
            if (!at)
                continue;
            gone.push_back({std::max(*at, now), bytes});
            EXPECT_GE(gone.back().at, last); // I2
            last = gone.back().at;
        }
        const double depth = std::max(static_cast<double>(rate) / 10, 3000.0);
        // What went before, less what the rate gave until then, is never more than the depth above its least.
        double passed = 0, least = 0;
        for (const Gone& one : gone) {
            const double given = static_cast<double>(rate) * static_cast<double>(one.at - second) / 1e9;
            least = std::min(least, passed - given);
            passed += static_cast<double>(one.bytes);
            ASSERT_LE(passed - given, least + depth + 1) << rate;
        }
        const bool is_asked_for_more = rate == 100'000;
        if (is_asked_for_more) {
            EXPECT_GE(passed, 0.95 * 1e5 * static_cast<double>(now - second) / 1e9);
        }
    }
}

} // namespace
