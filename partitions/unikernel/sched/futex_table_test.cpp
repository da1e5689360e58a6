// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/sched/futex_table.hpp"

#include "partitions/unikernel/machine/scale.hpp"

#include <gtest/gtest.h>

#include <array>
#include <vector>

namespace {

using namespace uk;
using namespace uk::sched;

FutexKey word(std::uint64_t offset, const void* object = nullptr) {
    return {object, offset};
}

std::vector<FutexWaiter*> woken;

struct FutexTest : testing::Test {
    void SetUp() override {
        woken.clear();
        for (FutexWaiter& waiter : waiters) {
            waiter.key = word(0x1000);
            waiter.wake = [](FutexWaiter& who) { woken.push_back(&who); };
        }
    }
    FutexTable table;
    std::array<FutexWaiter, 4> waiters;
};

TEST_F(FutexTest, WakesInOrderAndOnlyItsWord) {
    waiters[1].key = word(0x2000);
    for (FutexWaiter& waiter : waiters)
        table.add(waiter);
    EXPECT_EQ(table.wake(word(0x1000), 2, match_any), 2u);
    EXPECT_EQ(woken, (std::vector<FutexWaiter*>{&waiters[0], &waiters[2]}));
    EXPECT_EQ(table.wake(word(0x3000), 9, match_any), 0u);
    EXPECT_EQ(table.wake(word(0x1000), 9, match_any), 1u);
    EXPECT_TRUE(waiters[1].queued);
}

TEST_F(FutexTest, BitsMustMeet) {
    waiters[0].bits = 1;
    waiters[1].bits = 2;
    table.add(waiters[0]);
    table.add(waiters[1]);
    EXPECT_EQ(table.wake(word(0x1000), 9, 2), 1u);
    EXPECT_EQ(woken.front(), &waiters[1]);
}

TEST_F(FutexTest, RequeueMovesBehindThoseThatWait) {
    waiters[3].key = word(0x5000);
    for (FutexWaiter& waiter : waiters)
        table.add(waiter);
    EXPECT_EQ(table.requeue(word(0x1000), word(0x5000), 2), 2u);
    EXPECT_EQ(table.wake(word(0x5000), 9, match_any), 3u);
    EXPECT_EQ(woken, (std::vector<FutexWaiter*>{&waiters[3], &waiters[0], &waiters[1]}));
    EXPECT_EQ(table.requeue(word(0x1000), word(0x1000), 9), 1u);
    table.remove(waiters[2]);
    table.remove(waiters[2]);
    EXPECT_EQ(table.wake(word(0x1000), 9, match_any), 0u);
}

TEST(Scale, DoesNotOverflowForYears) {
    const std::uint64_t hz = 3'000'000'000, multiplier = (std::uint64_t{1'000'000'000} << 32) / hz;
    const std::uint64_t ten_years = hz * 86400 * 3650;
    EXPECT_NEAR(static_cast<double>(scale_ticks(ten_years, multiplier)), 86400.0 * 3650 * 1e9, 1e9);
}

} // namespace
