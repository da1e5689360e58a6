// SPDX-License-Identifier: Apache-2.0
// Futex operations of threads of the host, on memory of an address space.
#include "partitions/unikernel/sched/test_memory.hpp"

namespace {

using namespace uk;
using namespace uk::sched;
using namespace uk::sched::test;
struct Futex : WithMemory {};

TEST_F(Futex, WaitsOnlyWhileTheWordIsAsExpected) {
    EXPECT_EQ(code(futex_wait(word(memory), 1, match_any, never)), static_cast<int>(Errno::again));
    EXPECT_EQ(code(futex_wait(word(0x500000), 0, match_any, never)), static_cast<int>(Errno::fault));
    EXPECT_EQ(code(futex_wait(word(0x500000, false), 0, match_any, never)), static_cast<int>(Errno::fault));
    EXPECT_EQ(code(futex_wait(word(memory), 0, match_any, machine.now + 3 * ms)),
              static_cast<int>(Errno::timedout));
    EXPECT_EQ(wake(word(memory), 1), 0u) << "who gave up waits no more";
}

TEST_F(Futex, WakesInTheOrderTheyCame) {
    for (const char name : {'a', 'b', 'c'})
        waiter(name, word(memory));
    EXPECT_EQ(wake(word(memory), 1), 1u);
    yield();
    EXPECT_EQ(order, "a");
    EXPECT_EQ(wake(word(memory + 4), 9), 0u);
    EXPECT_EQ(wake(word(memory), 9), 2u);
    join();
    EXPECT_EQ(order, "abc");
}

TEST_F(Futex, WakesThoseWhoseBitsMeet) {
    waiter('a', word(memory), 1);
    waiter('b', word(memory), 2);
    EXPECT_EQ(wake(word(memory), 9, 2), 1u);
    yield();
    EXPECT_EQ(order, "b");
    EXPECT_EQ(wake(word(memory), 9, 4), 0u);
    EXPECT_EQ(wake(word(memory), 9), 1u);
    join();
}

TEST_F(Futex, MovesWaitersToAnotherWord) {
    waiter('a', word(memory));
    waiter('b', word(memory));
    const auto moved = futex_requeue(word(memory), word(memory + 64), 1);
    ASSERT_TRUE(moved.ok());
    EXPECT_EQ(*moved, 1u);
    EXPECT_EQ(wake(word(memory), 9), 1u);
    EXPECT_EQ(wake(word(memory + 64), 9), 1u);
    join();
    EXPECT_EQ(order.size(), 2u);
    EXPECT_FALSE(futex_requeue(word(no_access, false), word(memory), 1).ok());
    EXPECT_FALSE(futex_requeue(word(memory), word(no_access, false), 1).ok());
}

TEST_F(Futex, ASharedPageIsOneWordAtEveryAddress) {
    waiter('a', word(shared_one + 8, false));
    EXPECT_EQ(wake(word(shared_two + 8), 9), 0u) << "private: by address";
    EXPECT_EQ(wake(word(shared_two + 12, false), 9), 0u);
    EXPECT_EQ(wake(word(shared_two + 8, false), 9), 1u);
    join();
    // Memory that is not shared is told by its address, whatever the flag says.
    waiter('b', word(memory, false));
    EXPECT_EQ(wake(word(memory, true), 9), 1u);
    join();
    EXPECT_EQ(order, "ab");
}

TEST_F(Futex, AWordThatCannotBeReadIsAFault) {
    EXPECT_FALSE(futex_wake(word(no_access, false), 1, match_any).ok());
    EXPECT_FALSE(futex_wake(word(0x500000, false), 1, match_any).ok());
    EXPECT_TRUE(futex_wake(word(0x500000, true), 1, match_any).ok()) << "nobody can wait there";
}

TEST_F(Futex, ASignalTakesTheWaiterOff) {
    machine.start([this] {
        machine.body.ending = true;
        interrupt_sleep(machine.body);
    });
    EXPECT_EQ(code(futex_wait(word(memory), 0, match_any, never)), static_cast<int>(Errno::restart_sys));
    machine.body.ending = false;
    EXPECT_EQ(wake(word(memory), 9), 0u);
    join();
}

TEST_F(Futex, AWakeThatComesWithTheSignalCounts) {
    machine.start([this] {
        EXPECT_EQ(wake(word(memory), 1), 1u);
        machine.body.ending = true;
        interrupt_sleep(machine.body);
    });
    EXPECT_EQ(code(futex_wait(word(memory), 0, match_any, never)), 0) << "the wake is not lost";
    machine.body.ending = false;
    join();
}

TEST_F(Futex, AnInterruptionThatIsNothingGoesOnWaiting) {
    machine.start([this] { interrupt_sleep(machine.body); });
    EXPECT_EQ(code(futex_wait(word(memory), 0, match_any, machine.now + 5 * ms)),
              static_cast<int>(Errno::timedout));
    EXPECT_GE(machine.idled, 4 * ms);
    join();
}

TEST_F(Futex, WaitsForAnyOfSeveralWords) {
    const FutexWanted both[] = {{word(memory), 0}, {word(memory + 4), 0}};
    machine.start([this] {
        EXPECT_EQ(wake(word(memory + 4), 1), 1u);
        EXPECT_EQ(wake(word(memory), 1), 1u) << "both before it runs: the first counts";
    });
    auto woken = futex_wait_any(both, never);
    ASSERT_TRUE(woken.ok());
    EXPECT_EQ(*woken, 0u);
    machine.start([this] { EXPECT_EQ(wake(word(memory + 4), 1), 1u); });
    woken = futex_wait_any(both, never);
    ASSERT_TRUE(woken.ok());
    EXPECT_EQ(*woken, 1u);
    EXPECT_EQ(fs::test::code(futex_wait_any(both, machine.now + 1 * ms)), static_cast<int>(Errno::timedout));
    const FutexWanted other[] = {{word(memory), 0}, {word(memory + 4), 7}};
    EXPECT_EQ(fs::test::code(futex_wait_any(other, never)), static_cast<int>(Errno::again));
    EXPECT_EQ(wake(word(memory), 9), 0u) << "nobody is left behind";
    fs::host::state().allocations_left = 0;
    EXPECT_EQ(fs::test::code(futex_wait_any(both, never)), static_cast<int>(Errno::nomem));
    fs::host::state().allocations_left = -1;
    join();
}

} // namespace
