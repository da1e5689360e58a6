// SPDX-License-Identifier: Apache-2.0
// Sending, delivering and timers on a process of the host: user memory is a map of bytes, the clock is the test's, threads are woken by name.
#include "partitions/unikernel/fs/host_seam.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/alternate_stack.hpp"
#include "partitions/unikernel/signal/frame_layout.hpp"
#include "partitions/unikernel/signal/interval_timer.hpp"
#include "partitions/unikernel/signal/rules.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <map>
#include <vector>

namespace {

constexpr std::uint64_t stack_top = 0x10000, program = 0x401000, handler = 0x402000, restorer = 0x403000;

// What the seams below stand for.
struct Machine {
    std::map<std::uint64_t, std::byte> memory;   // bytes that were written
    std::uint64_t low = 0x1000, high = 0x200000; // what can be reached
    std::uint64_t clock = 1'000'000'000, cpu = 0;
    std::vector<uk::Thread*> woken;
    std::vector<uk::sched::Timer*> armed;
    uk::machine::Features features;
    std::array<std::byte, 512> initial{}, live{};
    bool unsound = false; // XRSTOR faults
    void (*asleep)(uk::Thread&) = nullptr;

    void advance(std::uint64_t ns) {
        for (const std::uint64_t end = clock + ns;;) {
            uk::sched::Timer* first = nullptr;
            for (uk::sched::Timer* timer : armed)
                if (timer->at <= end && (first == nullptr || timer->at < first->at))
                    first = timer;
            if (first == nullptr) {
                clock = end;
                uk::fs::host::state().now = static_cast<std::int64_t>(clock);
                return;
            }
            clock = std::max(clock, first->at);
            uk::fs::host::state().now = static_cast<std::int64_t>(clock);
            uk::sched::disarm(*first);
            first->fire(*first);
        }
    }
};
Machine* it = nullptr;

struct Ended {
    int number; // 0: a thread
};

} // namespace

namespace uk {

std::uint64_t monotonic_ns() {
    return it->clock;
}
Deadline deadline_after(std::uint64_t duration) {
    return duration == never ? never : it->clock + duration;
}

namespace machine {
const Features& features() {
    return it->features;
}
void save_vectors(std::byte* area) {
    std::memcpy(area, it->live.data(), it->live.size());
}
bool restore_vectors(const std::byte* area) {
    if (it->unsound)
        return false;
    std::memcpy(it->live.data(), area, it->live.size());
    return true;
}
const std::byte* initial_vectors() {
    return it->initial.data();
}
} // namespace machine

namespace mm {
Status copy_out(UserAddress to, const void* from, std::size_t bytes) {
    if (to.value() < it->low || to.value() + bytes > it->high)
        return base::Failure{Errno::fault};
    for (std::size_t i = 0; i < bytes; ++i)
        it->memory[to.value() + i] = static_cast<const std::byte*>(from)[i];
    return base::success;
}
Status copy_in(void* to, UserAddress from, std::size_t bytes) {
    if (from.value() < it->low || from.value() + bytes > it->high)
        return base::Failure{Errno::fault};
    for (std::size_t i = 0; i < bytes; ++i)
        static_cast<std::byte*>(to)[i] = it->memory[from.value() + i];
    return base::success;
}
AddressSpace::~AddressSpace() = default;
void share_kernel_half(std::uint64_t*) {}
void retain(AddressSpace&) {}
void release(AddressSpace&) {}
} // namespace mm

namespace sched {
// What happens while the thread sleeps.
Status sleep(Deadline) {
    if (it->asleep == nullptr)
        throw Ended{-1};
    it->asleep(current());
    return base::success;
}
void interrupt_sleep(Thread& thread) {
    it->woken.push_back(&thread);
}
void arm(Timer& timer, Deadline at) {
    disarm(timer);
    timer.at = at;
    timer.armed = at != never;
    if (timer.armed)
        it->armed.push_back(&timer);
}
void disarm(Timer& timer) {
    std::erase(it->armed, &timer);
    timer.armed = false;
}
std::uint64_t thread_cpu_ns(const Thread&) {
    return it->cpu / 2;
}
std::uint64_t process_cpu_ns(const Process&) {
    return it->cpu;
}
} // namespace sched

namespace signal {
void end_thread() {
    throw Ended{0};
}
void end_process(int number) {
    throw Ended{number};
}
} // namespace signal

} // namespace uk

namespace {

using namespace uk;
using namespace uk::signal;

struct Delivery : testing::Test {
    Machine machine;
    mm::AddressSpace space;
    Process process, parent;
    alignas(64) std::array<std::byte, 512> first_vectors{}, second_vectors{};
    Thread first, second;
    TrapFrame frame{};

    Delivery() {
        it = &machine;
        first.process = second.process = &process;
        first.id = 1;
        second.id = 2;
        first.vector_state = first_vectors.data();
        second.vector_state = second_vectors.data();
        first.next_in_process = &second;
        process.space = Ref<mm::AddressSpace>{&space};
        process.id = 2;
        process.pid = process.group = process.session = pid_table().make().value();
        process.pid->process = &process;
        parent.pid = parent.group = pid_table().make().value();
        parent.session = process.session;
        parent.actions = Ref<ActionTable>{mm::make<ActionTable>()};
        parent.thread_count = 1; // somewhere
        enter_process(parent);
        enter_process(process);
        add_child(parent, process);
        process.actions = Ref<ActionTable>{mm::make<ActionTable>()};
        process.threads = &first;
        process.thread_count = 2;
        uk::machine::this_cpu().thread = &first;
        frame.rip = program;
        frame.rsp = stack_top;
        machine.live.fill(std::byte{0});
    }
    ~Delivery() override {
        leave_process(process);
        leave_process(parent);
        parent.pending.flush(~Set{0}, parent.account);
        drop_posix_timers(process);
        for (IntervalTimer* timer : process.interval_timers)
            mm::destroy(timer);
        for (Pending* pending : {&process.pending, &first.pending, &second.pending})
            pending->flush(~Set{0}, process.account);
    }

    void handle(int number, std::uint64_t flags = 0, Set mask = 0) {
        set_action(process, number, {handler, flags | action_flag::restorer, restorer, mask});
    }
    static Information sent(int number, int code = code::user) {
        Information information;
        information.number = number;
        information.code = code;
        return information;
    }
    void kill(int number) { ASSERT_TRUE(send_to_process(process, sent(number)).ok()); }
    void leave() {
        for (unsigned i = 0; has_to_act(frame); ++i) {
            ASSERT_LT(i, 100u);
            act_on_pending(frame);
        }
    }
    int ends() {
        try {
            leave();
        } catch (const Ended& ended) {
            return ended.number;
        }
        return -1;
    }
    void come_back() {
        frame.rsp += 8; // the handler's RET
        ASSERT_TRUE(restore_from_frame(frame));
    }
    SignalFrame written() { return *mm::read_user<SignalFrame>(mm::UserAddress{frame.rsp}); }
};

TEST_F(Delivery, RunsAHandlerAndComesBack) {
    handle(usr1, 0, bit(usr2));
    frame.rbx = 77;
    first.blocked = bit(hup);
    kill(usr1);
    leave();
    EXPECT_EQ(frame.rip, handler);
    EXPECT_EQ(frame.rdi, static_cast<std::uint64_t>(usr1));
    EXPECT_EQ(first.blocked, bit(hup) | bit(usr1) | bit(usr2));
    EXPECT_EQ(written().return_address, restorer);
    EXPECT_EQ(written().mask, bit(hup));
    frame.rbx = 0;
    come_back();
    EXPECT_EQ(frame.rip, program);
    EXPECT_EQ(frame.rsp, stack_top);
    EXPECT_EQ(frame.rbx, 77u);
    EXPECT_EQ(first.blocked, bit(hup));
}

TEST_F(Delivery, KeepsTheVectorsOfTheProgram) {
    handle(usr1);
    machine.live.fill(std::byte{5});
    kill(usr1);
    leave();
    machine.live.fill(std::byte{9});
    come_back();
    EXPECT_EQ(machine.live[200], std::byte{5});
    // A context without an area begins with the state of a new program; one that cannot be read is refused.
    kill(usr1);
    leave();
    SignalFrame changed = written();
    changed.registers.vectors = 0;
    ASSERT_TRUE(mm::write_user(mm::UserAddress{frame.rsp}, changed).ok());
    TrapFrame again = frame;
    come_back();
    EXPECT_EQ(machine.live, machine.initial);
    changed.registers.vectors = 0x8000000000000000;
    ASSERT_TRUE(mm::write_user(mm::UserAddress{again.rsp}, changed).ok());
    again.rsp += 8;
    EXPECT_FALSE(restore_from_frame(again));
    again.rsp = 64;
    EXPECT_FALSE(restore_from_frame(again));
}

TEST_F(Delivery, RefusesVectorsThatTheCpuRefuses) {
    handle(usr1);
    kill(usr1);
    leave();
    machine.unsound = true;
    frame.rsp += 8;
    EXPECT_FALSE(restore_from_frame(frame));
}

TEST_F(Delivery, ReadsAnExtendedAreaWhole) {
    machine.features.xsave = true;
    machine.features.xcr0 = 3;
    handle(usr1);
    kill(usr1);
    leave();
    const std::uint64_t vectors = written().registers.vectors;
    EXPECT_EQ(written().context_flags & context_flag::extended_vectors, context_flag::extended_vectors);
    come_back();
    kill(usr1);
    leave();
    machine.high = vectors + legacy_vector_bytes - 1; // the area's end is out of reach
    frame.rsp += 8;
    EXPECT_FALSE(restore_from_frame(frame));
}

TEST_F(Delivery, ActsByDefault) {
    kill(term);
    EXPECT_EQ(ends(), term);
    kill(child);
    EXPECT_EQ(process.pending.set(), 0u);
    first.blocked = second.blocked = bit(child);
    kill(child);
    EXPECT_EQ(process.pending.set(), bit(child));
    first.blocked = 0;
    EXPECT_EQ(ends(), -1);
    EXPECT_EQ(process.pending.set(), 0u);
    second.ending = true;
    uk::machine::this_cpu().thread = &second;
    EXPECT_EQ(ends(), 0);
}

TEST_F(Delivery, EndsByEverySignalThatMeansACrash) {
    for (const int number : {segv, bus, fpe, ill, trap, signal::abort, sys, term}) {
        Information information = sent(number, 1);
        information.address = number == bus ? program : 0x1234;
        try {
            die(frame, information);
        } catch (const Ended& ended) {
            EXPECT_EQ(ended.number, number);
        }
    }
}

TEST_F(Delivery, NeedsRoomForTheFrame) {
    handle(usr1);
    frame.rsp = machine.low;
    kill(usr1);
    EXPECT_EQ(ends(), segv); // nobody catches what follows
    handle(segv, action_flag::on_stack);
    first.alternate_stack = {0x100000, 0x4000, 0};
    kill(usr1);
    leave();
    EXPECT_EQ(frame.rip, handler);
    EXPECT_EQ(frame.rdi, static_cast<std::uint64_t>(segv));
    EXPECT_TRUE(on_alternate(first.alternate_stack, frame.rsp));
    // SIGSEGV itself without room is the end.
    frame.rsp = machine.low;
    first.alternate_stack = {};
    first.blocked = 0;
    force_fault(sent(segv, code::segv_access));
    EXPECT_EQ(ends(), segv);
}

TEST_F(Delivery, DisarmsAnAlternateStackThatAsksForIt) {
    handle(usr1, action_flag::on_stack);
    first.alternate_stack = {0x100000, 0x4000, stack_flag::autodisarm};
    kill(usr1);
    leave();
    EXPECT_EQ(first.alternate_stack.flags, stack_flag::disabled);
    come_back();
    EXPECT_EQ(first.alternate_stack.flags, stack_flag::autodisarm);
}

TEST_F(Delivery, NeverReturnsBeyondTheCanonicalHalf) {
    frame.rip = 0x8000000000000000;
    EXPECT_EQ(ends(), segv);
    handle(segv);
    frame.rip = 0x8000000000000000;
    leave();
    EXPECT_EQ(frame.rip, handler);
    EXPECT_EQ(written().registers.vector, 13u);
    EXPECT_EQ(written().registers.rip, 0x8000000000000000u);
    // A handler there: SIGSEGV in its place; SIGSEGV's own handler there: the end.
    frame = {};
    frame.rip = program, frame.rsp = stack_top;
    first.blocked = 0;
    set_action(process, usr1, {0x8000000000000000, action_flag::restorer, restorer, 0});
    kill(usr1);
    leave();
    EXPECT_EQ(frame.rip, handler);
    set_action(process, segv, {0x8000000000000000, action_flag::restorer, restorer, 0});
    first.blocked = 0;
    kill(usr1);
    EXPECT_EQ(ends(), segv);
}

TEST_F(Delivery, RestoresAMaskThatACallSetForItsTime) {
    first.saved_blocked = bit(usr1);
    first.blocked = 0;
    first.restore_blocked = true;
    frame.vector = system_call_vector;
    frame.rax = std::uint64_t{0} - static_cast<std::uint64_t>(Errno::restart_without_handler);
    frame.error = 130;
    TrapFrame before = frame;
    leave();
    EXPECT_EQ(first.blocked, bit(usr1));
    EXPECT_EQ(frame.rip, program - 2);
    EXPECT_EQ(frame.rax, 130u);
    frame = before;
    first.blocked = 0;
    first.restore_blocked = true;
    handle(usr1);
    kill(usr1);
    leave();
    EXPECT_EQ(written().mask, bit(usr1));
    EXPECT_EQ(written().registers.rax, static_cast<std::uint64_t>(-static_cast<int>(Errno::intr)));
}

TEST_F(Delivery, WakesAThreadThatMayTakeIt) {
    handle(usr1);
    first.blocked = bit(usr1);
    kill(usr1);
    EXPECT_EQ(machine.woken, (std::vector<Thread*>{&second}));
    machine.woken.clear();
    second.state = ThreadState::dead;
    kill(hup);
    EXPECT_EQ(machine.woken, (std::vector<Thread*>{&first}));
    machine.woken.clear();
    ASSERT_TRUE(send_to_thread(first, sent(usr1)).ok());
    EXPECT_TRUE(machine.woken.empty());
    first.awaited = bit(usr1); // sigtimedwait
    ASSERT_TRUE(send_to_thread(first, sent(usr1)).ok());
    EXPECT_EQ(machine.woken.size(), 1u);
    ASSERT_TRUE(send_to_thread(first, sent(child)).ok()); // ignored
    EXPECT_EQ(first.pending.set(), bit(usr1));
    process.limits[static_cast<unsigned>(Resource::pending_signals)].soft = 0;
    EXPECT_EQ(send_to_thread(first, sent(40, code::queue)).error(), Errno::again);
    EXPECT_EQ(send_to_process(process, sent(40, code::queue)).error(), Errno::again);
    set_action(process, usr1, {handler_ignore, 0, 0, 0});
    EXPECT_EQ(first.pending.set(), 0u);
    set_blocked(first, ~Set{0});
    EXPECT_EQ(first.blocked & unblockable, 0u);
}

TEST_F(Delivery, ForgetsHandlersAndTimersForANewProgram) {
    handle(usr1);
    set_action(process, usr2, {handler_ignore, 0, 0, 0});
    first.alternate_stack = {0x100000, 0x4000, 0};
    first.restart.function = [](const Restart&) -> SyscallResult { return 0; };
    process.posix_timers =
        mm::make<IntervalTimer>(process, TimerClock::monotonic, sent(term, code::timer), 0);
    process.posix_timers->set(machine.clock + 100, 0);
    interval_timer(process, 0)->set(machine.clock + 200, 0);
    reset_for_exec(first);
    EXPECT_EQ(process.action(usr1).handler, handler_default);
    EXPECT_EQ(process.action(usr2).handler, handler_ignore);
    EXPECT_EQ(first.alternate_stack.flags, stack_flag::disabled);
    EXPECT_EQ(first.restart.function, nullptr);
    EXPECT_EQ(process.posix_timers, nullptr);
    machine.advance(1000);
    EXPECT_EQ(process.pending.set(), bit(signal::alarm)); // alarm() stays
}

TEST_F(Delivery, ATimerGoesOnWhenItsSignalIsTaken) {
    handle(usr1);
    first.blocked = second.blocked = bit(usr1);
    IntervalTimer timer(process, TimerClock::monotonic, sent(usr1, code::timer), 0);
    EXPECT_EQ(timer.left(), 0u);
    timer.set(machine.clock + 100, 10);
    EXPECT_EQ(timer.left(), 100u);
    EXPECT_EQ(timer.interval(), 10u);
    machine.advance(145);
    EXPECT_TRUE(machine.armed.empty()); // nothing fires while it waits
    EXPECT_EQ(timer.left(), 5u);
    const Information taken = take(first, process, bit(usr1));
    EXPECT_EQ(taken.user, 4u);
    EXPECT_EQ(timer.overruns(), 4u);
    machine.advance(5);
    EXPECT_EQ(process.pending.set(), bit(usr1));
    timer.set(0, 10);
    EXPECT_EQ(timer.interval(), 0u);
    EXPECT_EQ(timer.left(), 0u);
    EXPECT_EQ(take(first, process, bit(usr1)).number, usr1); // it waited already
    machine.advance(100);
    EXPECT_EQ(process.pending.set(), 0u);
    timer.set(machine.clock + 10, 10);
    machine.advance(10);
    timer.set(machine.clock + 50, 0); // set anew while its signal waits
    EXPECT_EQ(take(first, process, bit(usr1)).number, usr1);
    EXPECT_EQ(timer.left(), 50u);
}

TEST_F(Delivery, ATimerThatIsIgnoredLetsTheProgramBreathe) {
    set_action(process, usr1, {handler_ignore, 0, 0, 0});
    IntervalTimer timer(process, TimerClock::realtime, sent(usr1, code::timer), 0);
    timer.set(timer.now() + 1, 1);
    unsigned fired = 0;
    for (const std::uint64_t end = machine.clock + 10'000'000; machine.clock < end; ++fired) {
        ASSERT_FALSE(machine.armed.empty());
        machine.advance(std::max<std::uint64_t>(machine.armed[0]->at - machine.clock, 1));
    }
    EXPECT_LE(fired, 12u);
    EXPECT_EQ(process.pending.set(), 0u);
    IntervalTimer silent(process, TimerClock::monotonic, sent(0), 0);
    silent.set(machine.clock + 10, 0);
    machine.advance(10);
    EXPECT_EQ(silent.left(), 0u);
}

TEST_F(Delivery, ATimerOfAThreadGoesToItAlone) {
    handle(usr1);
    IntervalTimer timer(process, TimerClock::monotonic, sent(usr1, code::timer), 2);
    timer.set(machine.clock + 10, 0);
    machine.advance(10);
    EXPECT_EQ(second.pending.set(), bit(usr1));
    EXPECT_EQ(machine.woken, (std::vector<Thread*>{&second}));
    EXPECT_EQ(take(second, process, bit(usr1)).number, usr1);
    first.next_in_process = nullptr; // it ended
    timer.set(machine.clock + 10, 0);
    machine.advance(10);
    EXPECT_EQ(first.pending.set() | second.pending.set() | process.pending.set(), 0u);
    first.next_in_process = &second;
}

TEST_F(Delivery, ATimerOnCpuTimeWaitsForIt) {
    handle(virtual_alarm);
    IntervalTimer* timer = interval_timer(process, 1);
    ASSERT_NE(timer, nullptr);
    EXPECT_EQ(interval_timer(process, 1), timer);
    timer->set(5'000'000, 0);
    machine.advance(20'000'000); // asleep
    EXPECT_EQ(process.pending.set(), 0u);
    machine.cpu = 5'000'000;
    machine.advance(6'000'000);
    EXPECT_EQ(process.pending.set(), bit(virtual_alarm));
    IntervalTimer of_thread(process, TimerClock::thread_cpu, sent(usr1, code::timer), 2);
    EXPECT_EQ(of_thread.now(), 2'500'000u);
    IntervalTimer of_nobody(process, TimerClock::thread_cpu, sent(usr1, code::timer), 9);
    EXPECT_EQ(of_nobody.now(), 0u);
}

// ---- Job control.

TEST_F(Delivery, StopsUntilItIsContinued) {
    parent.group = parent.pid; // in another group of the session: somebody who can continue it
    handle(usr1);
    machine.asleep = [](Thread& thread) {
        EXPECT_TRUE(thread.parked);
        EXPECT_EQ(thread.process->parent->pending.set(), 0u); // the second thread still runs
        thread.process->parked = 2;                           // it is parked, too
        (void)send_to_process(*thread.process, sent(term));   // nothing but the end or SIGCONT ends a stop
        EXPECT_FALSE(must_look(thread));
        (void)send_to_process(*thread.process, sent(cont));
        thread.process->parked = 1;
    };
    second.blocked = bit(term);
    handle(term);
    kill(stop);
    leave();
    EXPECT_EQ(process.stop_signal, 0);
    EXPECT_TRUE(process.continue_to_report);
    EXPECT_EQ(frame.rip, handler); // SIGTERM, which waited
}

TEST_F(Delivery, TheParentHearsOfAStop) {
    set_action(parent, child, {handler, 0, 0, 0});
    process.threads = &first;
    first.next_in_process = nullptr;
    process.thread_count = 1;
    machine.asleep = [](Thread& thread) {
        Process& mine = *thread.process;
        EXPECT_TRUE(mine.stop_to_report);
        Information news = mine.parent->pending.take(bit(child), mine.parent->account);
        EXPECT_EQ(news.code, code::child_stopped);
        EXPECT_EQ(news.value, static_cast<std::uint64_t>(stop));
        EXPECT_EQ(news.process, 2);
        (void)send_to_process(mine, sent(cont));
        news = mine.parent->pending.take(bit(child), mine.parent->account);
        EXPECT_EQ(news.code, code::child_continued);
        EXPECT_FALSE(mine.stop_to_report);
    };
    kill(stop);
    leave();
    set_action(parent, child, {handler, action_flag::no_child_stop, 0, 0});
    machine.asleep = [](Thread& thread) {
        EXPECT_EQ(thread.process->parent->pending.set(), 0u);
        (void)send_to_process(*thread.process, sent(cont));
    };
    kill(stop);
    leave();
}

TEST_F(Delivery, StopAndContinueTakeEachOtherAway) {
    first.blocked = second.blocked = bit(tstp) | bit(cont);
    kill(tstp);
    EXPECT_EQ(process.pending.set(), bit(tstp));
    kill(cont);
    EXPECT_EQ(process.pending.set(), bit(cont));
    kill(stop);
    EXPECT_EQ(process.pending.set(), bit(stop));
}

TEST_F(Delivery, AnOrphanedGroupStopsForSigstopAlone) {
    EXPECT_FALSE(is_orphaned(*process.group)); // its parent is of another group
    parent.group = process.group;
    EXPECT_TRUE(is_orphaned(*process.group));
    kill(tstp);
    leave();
    EXPECT_EQ(process.stop_signal, 0);
}

TEST_F(Delivery, KillEndsAllThreads) {
    process.stop_signal = stop;
    kill(signal::kill);
    EXPECT_TRUE(first.ending && second.ending);
    EXPECT_EQ(process.exit_status, signal::kill);
    kill(usr1); // to one that is about to end
    EXPECT_EQ(process.pending.set(), 0u);
    EXPECT_EQ(ends(), 0);
}

TEST_F(Delivery, PidOneGetsWhatItAskedFor) {
    process.unkillable = true;
    for (const int number : {signal::kill, stop, term, tstp})
        kill(number);
    EXPECT_EQ(process.pending.set(), 0u);
    EXPECT_FALSE(process.exiting);
    first.blocked = second.blocked = bit(term); // it may be let through before it is ignored
    kill(term);
    first.blocked = 0;
    leave();
    EXPECT_EQ(process.pending.set(), 0u);
    handle(term);
    kill(term);
    leave();
    EXPECT_EQ(frame.rip, handler);
    Information fault = sent(segv);
    force_fault(fault); // its own
    EXPECT_EQ(ends(), segv);
}

} // namespace
