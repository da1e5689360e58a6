// SPDX-License-Identifier: Apache-2.0
// Turns, sleeps, timers and the idle thread on a CPU of the host.
#include "partitions/unikernel/sched/host_seam.hpp"

#include "partitions/unikernel/fs/host_seam.hpp"
#include "partitions/unikernel/machine/kernel_lock.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/sched/wait.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace {

using namespace uk;
using namespace uk::sched;
constexpr std::uint64_t ms = 1'000'000;

struct Scheduler : testing::Test {
    host::Machine machine;
    std::string order;

    Scheduler() { fs::host::state().allocations_left = -1; }
    void join() {
        while (body().next_in_process != nullptr)
            yield();
    }
    Thread& body() { return machine.body; }
    static int code(const Status& status) { return status.ok() ? 0 : static_cast<int>(status.error()); }
};

TEST_F(Scheduler, RunsThreadsInTheOrderTheyBecameReady) {
    for (const char name : {'a', 'b', 'c'})
        ASSERT_NE(machine.start([this, name] {
            order += name;
            yield();
            order += name;
        }),
                  nullptr);
    yield();
    order += '.';
    join();
    EXPECT_EQ(order, "abc.abc");
    EXPECT_EQ(machine.live_stacks, 1u) << "the idle thread's is left";
    const auto before = machine.switches;
    yield(); // alone
    EXPECT_EQ(machine.switches, before);
}

TEST_F(Scheduler, MarksTheThreadThatACpuIsOn) {
    Thread* other = machine.start([this] {
        EXPECT_TRUE(current().on_cpu);
        EXPECT_FALSE(body().on_cpu);
        EXPECT_EQ(machine.vectors, current().vector_state);
        EXPECT_EQ(machine.fs_base, 0x1234u);
        EXPECT_EQ(machine.cpu.kernel_stack, current().kernel_stack_top);
    });
    other->fs_base = 0x1234;
    EXPECT_FALSE(other->on_cpu);
    join();
    EXPECT_TRUE(body().on_cpu);
    EXPECT_EQ(&current(), &body());
}

TEST_F(Scheduler, IdleTimeIsNobodysTime) {
    machine.compute(2 * ms);
    EXPECT_EQ(code(sleep(machine.now + 50 * ms)), static_cast<int>(Errno::timedout));
    EXPECT_GE(machine.idled, 50 * ms);
    EXPECT_EQ(thread_cpu_ns(body()), 2 * ms);
    EXPECT_EQ(process_cpu_ns(machine.process), 2 * ms);
    EXPECT_GE(machine.cpu.idle->cpu_ns, 50 * ms);
    machine.compute(1 * ms);
    EXPECT_EQ(thread_cpu_ns(body()), 3 * ms);
}

TEST_F(Scheduler, CountsThreadsThatEndedWithTheirProcess) {
    machine.process.dead_threads_ns = 5 * ms;
    Thread* other = machine.start([this] { machine.compute(3 * ms); });
    other->cpu_ns = 1 * ms;
    EXPECT_EQ(process_cpu_ns(machine.process), 6 * ms);
    join();
    EXPECT_EQ(process_cpu_ns(machine.process), 5 * ms) << "who ends it adds its time";
}

TEST_F(Scheduler, ComputingThreadsTakeTurns) {
    for (const char name : {'a', 'b'})
        machine.start([this, name] {
            for (int i = 0; i < 3; ++i) {
                machine.compute(slice_ns);
                order += name;
            }
        });
    join();
    EXPECT_EQ(order, "ababab");
}

TEST_F(Scheduler, AloneItTakesNoInterrupt) {
    machine.leave();
    EXPECT_EQ(machine.fires, never);
    machine.compute(1000 * ms);
    EXPECT_EQ(machine.timer_writes, 0u);
    // Another that comes and goes leaves one interrupt behind, and then there is rest.
    machine.start([] {});
    join();
    machine.compute(1000 * ms);
    EXPECT_LE(machine.timer_writes, 1u);
    EXPECT_EQ(machine.fires, never);
}

TEST_F(Scheduler, APingPongDoesNotSetTheTimerEachTime) {
    bool stop = false;
    machine.start([&] {
        while (!stop) {
            machine.compute(1000);
            yield();
        }
    });
    for (int i = 0; i < 2'000; ++i) {
        machine.compute(1000);
        yield();
    }
    stop = true;
    join();
    EXPECT_LE(machine.timer_writes, 4 * ms / slice_ns + 4) << "4 ms";
}

TEST_F(Scheduler, AWakeEndsASleep) {
    WaitQueue queue;
    machine.start([&] {
        machine.compute(1 * ms);
        queue.wake_all();
    });
    EXPECT_EQ(code(wait(queue, never)), 0);
    EXPECT_TRUE(queue.empty());
    join();
}

TEST_F(Scheduler, OneSleepOnTwoQueues) {
    WaitQueue first, second;
    machine.start([&] { second.wake_all(); });
    {
        ThreadWaiter one, two;
        first.add(one);
        second.add(two);
        EXPECT_EQ(code(sleep(machine.now + 1 * ms)), 0);
        EXPECT_FALSE(one.woken());
        EXPECT_TRUE(two.woken());
    }
    EXPECT_TRUE(first.empty());
    join();
}

TEST_F(Scheduler, AWakeBeforeTheSleepIsNotLost) {
    WaitQueue queue;
    ThreadWaiter waiter;
    queue.add(waiter);
    queue.wake_all();
    const auto before = machine.switches;
    EXPECT_EQ(code(sleep(never)), 0);
    EXPECT_EQ(machine.switches, before);
}

TEST_F(Scheduler, ADeadlineThatIsPastDoesNotSleep) {
    WaitQueue queue;
    const auto before = machine.switches;
    EXPECT_EQ(code(wait(queue, machine.now)), static_cast<int>(Errno::timedout));
    EXPECT_EQ(machine.switches, before);
}

TEST_F(Scheduler, ASignalEndsASleepAndKeepsOneFromBeginning) {
    WaitQueue queue;
    const auto signal_body = [this] {
        signal::Information information;
        information.number = signal::usr1;
        EXPECT_TRUE(body().pending.enter(information, machine.process.account).ok());
        interrupt_sleep(body());
    };
    machine.start(signal_body);
    EXPECT_EQ(code(wait(queue, machine.now + 100 * ms)), static_cast<int>(Errno::restart_sys));
    EXPECT_EQ(code(wait(queue, never)), static_cast<int>(Errno::restart_sys)) << "it still waits";
    body().blocked = signal::bit(signal::usr1);
    EXPECT_EQ(code(wait(queue, machine.now + 1 * ms)), static_cast<int>(Errno::timedout));
    body().pending.flush(~signal::Set{0}, machine.process.account);
    body().ending = true;
    EXPECT_EQ(code(wait(queue, never)), static_cast<int>(Errno::restart_sys));
    interrupt_sleep(body()); // not asleep: nothing
    EXPECT_TRUE(machine.cpu.ready.empty());
    body().ending = false;
    join();
}

TEST_F(Scheduler, AWakeWinsOverASignal) {
    WaitQueue queue;
    machine.start([&] {
        body().ending = true;
        queue.wake_all();
    });
    EXPECT_EQ(code(wait(queue, never)), 0);
    body().ending = false;
    join();
}

TEST_F(Scheduler, AnInterruptionThatIsNothingSaysLookAgain) {
    machine.start([this] { interrupt_sleep(body()); });
    EXPECT_EQ(code(sleep(machine.now + 100 * ms)), 0);
    join();
}

TEST_F(Scheduler, IdleIsOnTheKernelsTables) {
    machine.process.space = Ref<mm::AddressSpace>{mm::AddressSpace::make()};
    machine.process.space->activate();
    mm::AddressSpace* seen = machine.process.space.get();
    struct Look : Timer {
        explicit Look(mm::AddressSpace*& where) : Timer(&fired), out(where) {}
        static void fired(Timer& timer) { static_cast<Look&>(timer).out = mm::active_space(); }
        mm::AddressSpace*& out;
    } look{seen};
    arm(look, machine.now + 1 * ms);
    EXPECT_EQ(code(sleep(machine.now + 2 * ms)), static_cast<int>(Errno::timedout));
    EXPECT_EQ(seen, nullptr);
    EXPECT_EQ(mm::active_space(), machine.process.space.get());
    const auto loads = machine.table_loads;
    machine.start([] {});
    join();
    EXPECT_EQ(machine.table_loads, loads) << "threads of one process share what is loaded";
    machine.process.space = {};
    EXPECT_EQ(mm::active_space(), nullptr) << "a space that goes is left";
}

TEST_F(Scheduler, MemoryThatIsNotThereMakesNoThread) {
    machine.stacks_left = 0;
    EXPECT_EQ(make_thread(machine.process), nullptr);
    Thread* idle = machine.cpu.idle;
    EXPECT_FALSE(make_idle_thread(machine.cpu));
    machine.stacks_left = 1;
    fs::host::state().allocations_left = 0;
    EXPECT_EQ(make_thread(machine.process), nullptr);
    EXPECT_FALSE(make_idle_thread(machine.cpu));
    machine.cpu.idle = idle;
    fs::host::state().allocations_left = -1;
    Thread* thread = make_thread(machine.process);
    ASSERT_NE(thread, nullptr);
    discard_thread(*thread);
    EXPECT_EQ(machine.live_stacks, 1u);
}

TEST_F(Scheduler, APreemptionPointLetsOthersInOnlyWhenTheyAreDue) {
    machine.start([this] { order += 'o'; });
    machine.now += slice_ns / 2; // a long call computes with interrupts off
    preemption_point();
    EXPECT_EQ(order, "");
    machine.now += slice_ns;
    preemption_point();
    EXPECT_EQ(order, "o");
    EXPECT_EQ(machine.interrupts_in_kernel, 1u);
    EXPECT_TRUE(uk::machine::kernel_lock.is_held());
    machine.now += slice_ns;
    preemption_point(); // alone
    EXPECT_EQ(machine.interrupts_in_kernel, 1u);
}

TEST_F(Scheduler, APreemptionPointRunsTimers) {
    struct Count : Timer {
        Count() : Timer(&fired) {}
        static void fired(Timer& timer) {
            auto& self = static_cast<Count&>(timer);
            if (++self.times < 3)
                arm(self, machine_now() + 1);
        }
        static std::uint64_t machine_now() { return monotonic_ns(); }
        int times = 0;
    } timer;
    arm(timer, machine.now + 1 * ms);
    preemption_point();
    EXPECT_EQ(timer.times, 0);
    machine.now += 2 * ms;
    preemption_point();
    EXPECT_EQ(timer.times, 1) << "one that is due again at once waits for the next interrupt";
    machine.compute(1 * ms);
    EXPECT_EQ(timer.times, 3);
}

TEST_F(Scheduler, TheTimerComesNoLaterThanTheFirstOfAll) {
    struct Nothing : Timer {
        Nothing() : Timer(&fired) {}
        static void fired(Timer&) {}
    } early, late;
    arm(late, machine.now + 20 * ms);
    machine.leave();
    EXPECT_LE(machine.fires, machine.now + 20 * ms + 1);
    arm(early, machine.now + 5 * ms);
    machine.leave();
    EXPECT_LE(machine.fires, machine.now + 5 * ms + 1);
    const auto writes = machine.timer_writes;
    disarm(early);
    machine.leave();
    EXPECT_EQ(machine.timer_writes, writes) << "it comes for nothing once";
    machine.compute(30 * ms);
    EXPECT_FALSE(late.armed);
    EXPECT_EQ(machine.fires, never);
    // Further than the counter counts: it is set again on the way.
    arm(late, machine.now + 10'000 * ms);
    machine.compute(9'999 * ms);
    EXPECT_TRUE(late.armed);
    machine.compute(2 * ms);
    EXPECT_FALSE(late.armed);
    // Due already.
    arm(late, machine.now);
    machine.compute(1000);
    EXPECT_FALSE(late.armed);
    arm(late, never);
    EXPECT_FALSE(late.armed);
}

// A second CPU, on its idle thread.
struct TwoCpus : Scheduler {
    TwoCpus() {
        second.number = 1;
        EXPECT_TRUE(make_idle_thread(second));
        second.thread = second.idle;
        second.slice_end = never;
        uk::machine::cpus[1] = &second;
        uk::machine::cpu_count = 2;
        thread = make_thread(machine.process);
        thread->affinity = second.bit;
    }
    ~TwoCpus() override {
        uk::machine::cpu_count = 1;
        second.thread = nullptr;
        discard_thread(*second.idle);
        discard_thread(*thread);
    }
    [[nodiscard]] unsigned count(uk::machine::Interrupt kind) const {
        return second.interrupts[static_cast<unsigned>(kind)];
    }
    Cpu second{};
    Thread* thread = nullptr;
};

TEST_F(TwoCpus, OneThatIdlesIsWokenOnceForAllThatIsReady) {
    using uk::machine::Interrupt;
    Thread* another = make_thread(machine.process);
    another->affinity = second.bit;
    make_runnable(*thread);
    EXPECT_TRUE(second.kicked);
    EXPECT_EQ(count(Interrupt::wake_up), 1U);
    make_runnable(*another);
    EXPECT_EQ(count(Interrupt::wake_up), 1U) << "it is on its way";
    EXPECT_EQ(count(Interrupt::kick), 0U);
    EXPECT_EQ(machine.interrupts_sent, 1U);
    EXPECT_EQ(second.ready.take(), thread);
    EXPECT_EQ(second.ready.take(), another);
    discard_thread(*another);
}

TEST_F(TwoCpus, OneThatRunsIsKickedOnce) {
    using uk::machine::Interrupt;
    second.thread = thread;
    thread->cpu = 1;
    thread->on_cpu = true;
    interrupt_sleep(*thread);
    interrupt_sleep(*thread);
    EXPECT_EQ(count(Interrupt::kick), 1U);
    EXPECT_EQ(count(Interrupt::wake_up), 0U);
    second.kicked = false; // it came
    interrupt_sleep(*thread);
    EXPECT_EQ(count(Interrupt::kick), 2U);
    thread->on_cpu = false;
}

TEST_F(TwoCpus, SequencesElsewhereBeginAnewWhereTheyAreOfTheSpace) {
    second.thread = thread;
    second.mode = uk::machine::Mode::kernel; // it has come in meanwhile
    thread->cpu = 1;
    auto* mine = mm::AddressSpace::make();
    auto* others = mm::AddressSpace::make();
    second.space = mine;
    restart_sequences(*mine, on_all);
    EXPECT_FALSE(thread->restart_due) << "it has none";
    thread->restartable = 4096;
    restart_sequences(*others, on_all);
    restart_sequences(*mine, 0);
    EXPECT_FALSE(thread->restart_due);
    restart_sequences(*mine, 1);
    EXPECT_TRUE(thread->restart_due);
    EXPECT_TRUE(second.kicked);
    second.space = nullptr;
    mm::destroy(mine);
    mm::destroy(others);
}

TEST(LocalTimer, ItsClockIsMeasuredWhereNobodyTellsIt) {
    host::Machine machine;
    uk::machine::kernel_lock.drop();
    set_up_timer(0); // idle_wait lets exactly the count pass
    uk::machine::kernel_lock.take();
    struct Nothing : Timer {
        Nothing() : Timer(&fired) {}
        static void fired(Timer&) {}
    } timer;
    arm(timer, machine.now + 5 * ms);
    machine.leave();
    EXPECT_NEAR(static_cast<double>(machine.fires), static_cast<double>(machine.now + 5 * ms), 100.0);
    disarm(timer);
}

TEST(KernelLock, HandsOutTurnsInOrder) {
    uk::machine::TicketLock lock{uk::machine::kernel_lock_class};
    EXPECT_FALSE(lock.is_held());
    lock.take();
    EXPECT_TRUE(lock.is_held());
    lock.drop();
    EXPECT_FALSE(lock.is_held());
}

} // namespace
