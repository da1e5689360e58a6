// SPDX-License-Identifier: Apache-2.0
// Futexes with an owner: threads of the host that lock, wait, hand over and die.
#include "partitions/unikernel/sched/pi_futex.hpp"

#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/test_memory.hpp"
#include "partitions/unikernel/sched/wait.hpp"

namespace {

using namespace uk;
using namespace uk::sched;
using namespace uk::sched::test;

constexpr std::uint32_t waiters = 0x80000000, owner_died = 0x40000000;

struct PiFutex : WithMemory {
    FutexWord lock = word(memory);

    std::uint32_t value(FutexWord of) { return *mm::read_user<std::uint32_t>(of.address); }
    void set(FutexWord of, std::uint32_t to) { ASSERT_TRUE(mm::write_user(of.address, to).ok()); }
    static int take(FutexWord of, Deadline deadline = never) {
        return code(pi_lock(of, Contended::wait, deadline));
    }
    static int take_now(FutexWord of) { return code(pi_lock(of, Contended::give_up, never)); }
    static int drop(FutexWord of) { return code(pi_unlock(of)); }
    // A thread that takes the lock, says its name, and gives it back.
    Thread* contender(char name) {
        Thread* thread = machine.start([this, name] {
            EXPECT_EQ(take(lock), 0);
            order += name;
            EXPECT_EQ(value(lock) & ~waiters, static_cast<std::uint32_t>(current().id));
            EXPECT_EQ(drop(lock), 0);
        });
        yield();
        return thread;
    }
};

TEST_F(PiFutex, TakesAndGivesBack) {
    EXPECT_EQ(take(lock), 0);
    EXPECT_EQ(value(lock), 1u);
    EXPECT_EQ(take(lock), static_cast<int>(Errno::deadlk));
    EXPECT_EQ(take_now(lock), static_cast<int>(Errno::deadlk));
    EXPECT_EQ(drop(lock), 0);
    EXPECT_EQ(value(lock), 0u);
    EXPECT_EQ(drop(lock), static_cast<int>(Errno::perm));
    EXPECT_EQ(take_now(lock), 0);
    EXPECT_EQ(drop(lock), 0);
}

TEST_F(PiFutex, HandsItToWhoWaitsLongest) {
    EXPECT_EQ(take(lock), 0);
    for (const char name : {'a', 'b', 'c'})
        contender(name);
    EXPECT_EQ(value(lock), 1u | waiters);
    EXPECT_EQ(order, "");
    EXPECT_EQ(drop(lock), 0);
    EXPECT_EQ(value(lock) & waiters, waiters) << "two more wait";
    EXPECT_EQ(take_now(lock), static_cast<int>(Errno::again));
    join();
    EXPECT_EQ(order, "abc");
    EXPECT_EQ(value(lock), 0u);
}

TEST_F(PiFutex, AFreeWordWithWaitersKeepsTheirMark) {
    EXPECT_EQ(take(lock), 0);
    contender('a');
    set(lock, 0); // the program's own doing
    machine.start([this] {
        EXPECT_EQ(take(lock), 0);
        pi_owner_ends(machine.body); // owns it no more
        EXPECT_EQ(value(lock), static_cast<std::uint32_t>(current().id) | waiters);
        EXPECT_EQ(drop(lock), 0);
    });
    yield();
    EXPECT_EQ(take(lock), 0);
    EXPECT_EQ(value(lock), 1u);
    EXPECT_EQ(drop(lock), 0);
    join();
    EXPECT_EQ(order, "a");
}

TEST_F(PiFutex, TimeEndsAWait) {
    machine.start([this] {
        EXPECT_EQ(take(lock), 0);
        (void)uk::sched::sleep(machine.now + 20 * ms);
        EXPECT_EQ(drop(lock), 0);
    });
    yield();
    EXPECT_EQ(take(lock, machine.now + 5 * ms), static_cast<int>(Errno::timedout));
    EXPECT_EQ(take(lock, machine.now + 50 * ms), 0);
    EXPECT_EQ(drop(lock), 0);
    join();
}

TEST_F(PiFutex, ASignalEndsAWait) {
    machine.start([this] {
        EXPECT_EQ(take(lock), 0);
        yield();
        machine.body.ending = true;
        interrupt_sleep(machine.body);
        yield();
        EXPECT_EQ(drop(lock), 0);
    });
    yield();
    EXPECT_EQ(take(lock), static_cast<int>(Errno::restart_sys));
    machine.body.ending = false;
    join();
    EXPECT_EQ(value(lock), 0u);
}

TEST_F(PiFutex, ACircleIsFound) {
    const FutexWord other = word(memory + 64);
    EXPECT_EQ(take(lock), 0);
    machine.start([&] {
        EXPECT_EQ(take(other), 0);
        EXPECT_EQ(take(lock), 0); // waits for the body
        EXPECT_EQ(drop(lock), 0);
        EXPECT_EQ(drop(other), 0);
    });
    yield();
    EXPECT_EQ(take(other), static_cast<int>(Errno::deadlk));
    EXPECT_EQ(drop(lock), 0);
    join();
}

TEST_F(PiFutex, AnOwnerThatIsNotThere) {
    set(lock, 77);
    EXPECT_EQ(take(lock), static_cast<int>(Errno::srch));
    set(lock, owner_died);
    EXPECT_EQ(take(lock), 0);
    EXPECT_EQ(value(lock), 1u | owner_died) << "the mark stays for who repairs what it guards";
}

TEST_F(PiFutex, AnOwnerThatDiesLeavesItToTheNext) {
    Thread* owner = machine.start([this] {
        EXPECT_EQ(take(lock), 0);
        while (order.empty())
            yield();
    });
    yield();
    machine.start([this] {
        EXPECT_EQ(take(lock), 0);
        EXPECT_EQ(value(lock), static_cast<std::uint32_t>(current().id) | owner_died);
        EXPECT_EQ(drop(lock), 0);
        order += 'w';
    });
    yield();
    pi_owner_ends(machine.body); // owns nothing
    set(lock, owner_died);       // as a C library does before its thread ends
    pi_owner_ends(*owner);
    order += 'e';
    join();
    EXPECT_EQ(order, "ew");
}

TEST_F(PiFutex, AnOwnerThatDiesAndCannotHandOver) {
    EXPECT_EQ(take(lock), 0);
    machine.start([this] { EXPECT_EQ(take(lock), static_cast<int>(Errno::fault)); });
    yield();
    ASSERT_TRUE(machine.process.space->unmap(memory, page).ok());
    pi_owner_ends(machine.body);
    join();
}

TEST_F(PiFutex, SharedMemoryIsOneWordAtTwoAddresses) {
    lock = word(shared_one, false);
    EXPECT_EQ(take(lock), 0);
    contender('a');
    EXPECT_EQ(drop(word(shared_two, false)), 0);
    join();
    EXPECT_EQ(order, "a");
}

TEST_F(PiFutex, WhatCannotBeReadIsAFault) {
    const FutexWord nowhere = word(0x500000);
    EXPECT_EQ(take(nowhere), static_cast<int>(Errno::fault));
    EXPECT_EQ(drop(nowhere), static_cast<int>(Errno::fault));
    EXPECT_EQ(take(word(no_access, false)), static_cast<int>(Errno::fault));
    EXPECT_EQ(drop(word(no_access, false)), static_cast<int>(Errno::fault));
}

} // namespace
