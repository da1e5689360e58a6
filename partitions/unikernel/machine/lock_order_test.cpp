// SPDX-License-Identifier: Apache-2.0
// The lock as unikernel-checked.elf has it: built with CAISSON_CHECK_LOCKS.
#include "partitions/unikernel/machine/lock_order.hpp"

#include "partitions/unikernel/machine/kernel_lock.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"

#include <gtest/gtest.h>

namespace {

using namespace uk::machine;

constexpr LockClass first{"first", 1}, second{"second", 2}, third{"third", 3};

// Tests take turns at the CPUs 0 and 1.
class LockOrder : public ::testing::Test {
protected:
    LockOrder() {
        other_.number = 1;
        host_cpu = &first_host_cpu;
    }
    ~LockOrder() override { host_cpu = &first_host_cpu; }
    void on_other_cpu() { host_cpu = &other_; }

    Cpu other_{};
    TicketLock one_{first}, two_{second}, three_{third}, like_two_{second};
};

TEST_F(LockOrder, TakenInOrderAndDroppedInAny) {
    one_.take();
    three_.take();
    one_.drop();
    three_.drop();
    two_.take();
    three_.take();
    three_.drop();
    two_.drop();
    one_.take();
    one_.drop();
    EXPECT_FALSE(one_.is_held() || two_.is_held() || three_.is_held());
}

TEST_F(LockOrder, EachCpuHoldsItsOwn) {
    three_.take();
    on_other_cpu();
    one_.take(); // the first CPU may not, this one has nothing
    one_.drop();
    host_cpu = &first_host_cpu;
    three_.drop();
}

TEST_F(LockOrder, TheOtherWayRoundNamesBoth) {
    two_.take();
    EXPECT_DEATH(one_.take(), "lock 'first' is asked for while 'second' is held");
    EXPECT_DEATH(static_cast<void>(one_.draw()), "lock 'first' is asked for while 'second' is held");
    two_.drop();
}

TEST_F(LockOrder, TwoOfOnePlaceHaveNoOrder) {
    two_.take();
    EXPECT_DEATH(like_two_.take(), "lock 'second' is asked for while 'second' is held");
    two_.drop();
}

TEST_F(LockOrder, TwiceIsForEver) {
    one_.take();
    EXPECT_DEATH(one_.take(), "lock 'first' is taken twice by one CPU");
    one_.drop();
}

TEST_F(LockOrder, DroppedByWhoHasIt) {
    EXPECT_DEATH(one_.drop(), "lock 'first' is dropped by a CPU that has not taken it");
    one_.take();
    on_other_cpu();
    EXPECT_DEATH(one_.drop(), "lock 'first' is dropped by a CPU that has not taken it");
    host_cpu = &first_host_cpu;
    one_.drop();
}

TEST_F(LockOrder, TheKernelsOwnIsWatched) {
    kernel_lock.take();
    EXPECT_DEATH(kernel_lock.take(), "lock 'kernel' is taken twice by one CPU");
    kernel_lock.drop();
}

TEST_F(LockOrder, AsManyAsACpuMayHold) {
    constexpr std::array<LockClass, 5> classes{{{"a", 1}, {"b", 2}, {"c", 3}, {"d", 4}, {"e", 5}}};
    HeldLocks held;
    for (std::size_t i = 0; i < 4; ++i)
        EXPECT_EQ(held.asks(&classes[i], classes[i]).view(), "");
    EXPECT_EQ(held.asks(&classes[4], classes[4]).view(), "lock 'e' is one too many for a CPU");
    EXPECT_EQ(held.drops(&classes[1], classes[1]).view(), "");
    EXPECT_EQ(held.asks(&classes[4], classes[4]).view(), "");
}

} // namespace
