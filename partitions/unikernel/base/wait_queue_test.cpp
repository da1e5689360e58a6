// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/base/wait_queue.hpp"

#include <gtest/gtest.h>

#include <list>
#include <vector>

namespace {

using namespace uk;

struct Heard : Waiter {
    Heard(std::vector<int>& to, int number, Stay stay) : Waiter(&hear, stay), log(to), name(number) {}
    static void hear(Waiter& waiter, std::uint32_t) {
        auto& self = static_cast<Heard&>(waiter);
        self.log.push_back(self.name);
        if (self.on_wake != nullptr)
            self.on_wake->add(self.extra.emplace_back(self.log, self.name + 100, Stay::until_removed));
    }
    std::vector<int>& log;
    int name;
    WaitQueue* on_wake = nullptr;
    std::list<Heard> extra;
};

TEST(WaitQueue, TellsInOrderOnlyThoseWhoAsked) {
    std::vector<int> log;
    WaitQueue queue;
    Heard one{log, 1, Waiter::Stay::until_woken}, two{log, 2, Waiter::Stay::until_removed},
        three{log, 3, Waiter::Stay::until_woken};
    two.events = 4;
    queue.add(one);
    queue.add(two);
    queue.add(three);
    queue.wake(1);
    EXPECT_EQ(log, (std::vector{1, 3}));
    queue.wake(4);
    queue.wake(5);
    EXPECT_EQ(log, (std::vector{1, 3, 2, 2}));
    queue.remove(two);
    EXPECT_TRUE(queue.empty());
    queue.wake_all();
    EXPECT_EQ(log.size(), 4u);
}

TEST(WaitQueue, WhoComesMeanwhileIsNotTold) {
    std::vector<int> log;
    WaitQueue queue;
    Heard one{log, 1, Waiter::Stay::until_removed}, two{log, 2, Waiter::Stay::until_removed};
    one.on_wake = &queue;
    queue.add(one);
    queue.add(two);
    queue.wake_all();
    EXPECT_EQ(log, (std::vector{1, 2}));
    one.on_wake = nullptr;
    queue.wake_all();
    EXPECT_EQ(log, (std::vector{1, 2, 1, 2, 101}));
}

TEST(WaitQueue, WaitersAndQueuesEndInAnyOrder) {
    std::vector<int> log;
    Heard outlives{log, 1, Waiter::Stay::until_removed};
    {
        WaitQueue queue;
        queue.add(outlives);
        {
            Heard shorter{log, 2, Waiter::Stay::until_woken};
            queue.add(shorter);
        }
        queue.wake_all();
        EXPECT_EQ(log, (std::vector{1}));
    }
    WaitQueue another;
    another.add(outlives);
    another.wake_all();
    EXPECT_EQ(log.size(), 2u);
}

} // namespace
