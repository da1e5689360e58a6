// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/sched/timer_heap.hpp"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>
#include <tuple>

namespace {

using namespace uk;
using sched::Timer;
using sched::TimerHeap;

struct TestTimer : Timer {
    TestTimer() : Timer([](Timer&) {}) {}
    std::uint64_t entered = 0;
};

TEST(TimerHeap, GivesTheNextAndKeepsTheOrderOfEquals) {
    TimerHeap heap;
    TestTimer a, b, c, d;
    EXPECT_EQ(heap.first(), nullptr);
    heap.add(a, 20);
    heap.add(b, 10);
    heap.add(c, 10);
    heap.add(d, 15);
    EXPECT_EQ(heap.first(), &b);
    heap.remove(b);
    EXPECT_FALSE(b.armed);
    heap.remove(b); // nothing
    EXPECT_EQ(heap.first(), &c);
    heap.remove(d);
    heap.remove(c);
    EXPECT_EQ(heap.first(), &a);
    heap.remove(a);
    EXPECT_EQ(heap.first(), nullptr);
}

TEST(TimerHeap, AgreesWithASetUnderRandomOperations) {
    std::mt19937 random{7};
    TimerHeap heap;
    std::deque<TestTimer> timers(200);
    std::set<std::tuple<Deadline, std::uint64_t, TestTimer*>> model;
    std::uint64_t entered = 0;
    const auto forget = [&model](TestTimer& timer) { model.erase({timer.at, timer.entered, &timer}); };
    for (int step = 0; step < 100000; ++step) {
        TestTimer& timer = timers[random() % timers.size()];
        switch (random() % 3) {
        case 0:
            if (timer.armed)
                forget(timer);
            heap.remove(timer);
            timer.entered = entered++;
            heap.add(timer, random() % 50);
            model.insert({timer.at, timer.entered, &timer});
            break;
        case 1:
            if (timer.armed)
                forget(timer);
            heap.remove(timer);
            break;
        default:
            if (heap.first() != nullptr) {
                auto& first = static_cast<TestTimer&>(*heap.first());
                forget(first);
                heap.remove(first);
            }
            break;
        }
        ASSERT_EQ(heap.first(), model.empty() ? nullptr : std::get<2>(*model.begin())) << step;
    }
}

} // namespace
