// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/scheduler.cpp - see scheduler.hpp. No idle thread: a thread that finds nothing
// to run waits for an interrupt on its own kernel stack.
#include "partitions/unikernel/sched/scheduler.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/sched/wait.hpp"

#include <cstring>
#include <utility>

namespace uk {

namespace {
Thread* running = nullptr;
} // namespace

Thread& current() {
    return *running;
}

namespace sched {

namespace {

Thread* ready_first = nullptr;
Thread* ready_last = nullptr;
Thread* dead = nullptr; // left by the thread that ran before; its stack was in use until the switch
Deadline slice_end = never;
bool slice_over = false;
bool idle = false;

Thread* take_ready() {
    Thread* thread = ready_first;
    if (thread != nullptr) {
        ready_first = thread->next_ready;
        if (ready_first == nullptr)
            ready_last = nullptr;
        thread->next_ready = nullptr;
    }
    return thread;
}

void free_thread(Thread& thread) {
    mm::unmap_kernel_stack(thread.stack_end);
    thread.pending.flush(~signal::Set{0}, thread.process->account);
    mm::destroy(&thread);
}

// A sleeping thread's deadline.
struct SleepTimer : Timer {
    explicit SleepTimer(Thread& sleeper) : Timer(&fired), thread(sleeper) {}
    static void fired(Timer& timer) {
        Thread& sleeper = static_cast<SleepTimer&>(timer).thread;
        sleeper.timed_out = true;
        interrupt_sleep(sleeper);
    }
    Thread& thread;
};

// Runs on the new thread's stack, after every switch.
void finish_switch() {
    if (dead != nullptr)
        free_thread(*std::exchange(dead, nullptr));
}

void become(Thread& next) {
    running = &next;
    slice_over = false;
    machine::set_kernel_stack(next.kernel_stack_top);
    load_user_bases(next);
    if (mm::active_space() != next.process->space.get())
        next.process->space->activate();
    machine::restore_vectors(next.vector_state);
    next.switched_in = monotonic_ns();
}

void set_slice() {
    slice_end = ready_first != nullptr ? running->switched_in + slice_ns : never;
    program_timer(slice_end);
}

// Leaves the current thread, which is in the queue, asleep or dead.
void switch_away() {
    Thread& previous = *running;
    const std::uint64_t left = monotonic_ns();
    previous.cpu_ns += left - previous.switched_in;
    previous.switched_in = left;
    Thread* next = take_ready();
    if (next == nullptr) {
        idle = true; // nobody's time
        while (next == nullptr) {
            program_timer(never);
            idle_wait();
            next = take_ready();
        }
        idle = false;
        previous.switched_in = monotonic_ns();
    }
    if (next != &previous) {
        if (previous.state == ThreadState::dead)
            dead = &previous;
        else
            machine::save_vectors(previous.vector_state);
        become(*next);
        switch_stack(&previous.kernel_stack_pointer, next->kernel_stack_pointer);
        finish_switch();
    }
    set_slice();
}

} // namespace

void load_user_bases(const Thread& thread) {
    cpu::wrmsr(machine::msr::fs_base, thread.fs_base);
    cpu::wrmsr(machine::msr::kernel_gs_base, thread.gs_base);
}

Thread* make_thread(Process& process) {
    auto* thread = mm::make<Thread>();
    if (thread == nullptr)
        return nullptr;
    thread->process = &process;
    thread->stack_end = mm::map_kernel_stack();
    if (thread->stack_end == 0) {
        mm::destroy(thread);
        return nullptr;
    }
    // The vector state (64-byte aligned) is at the end of the stack's pages, the frame below it.
    thread->kernel_stack_top = base::round_down(thread->stack_end - machine::features().vector_bytes, 64);
    thread->vector_state = reinterpret_cast<std::byte*>(thread->kernel_stack_top);
    std::memset(thread->vector_state, 0, thread->stack_end - thread->kernel_stack_top);
    std::memset(&thread->frame(), 0, sizeof(TrapFrame));
    auto* stack = reinterpret_cast<std::uint64_t*>(&thread->frame());
    *--stack = reinterpret_cast<std::uint64_t>(&thread_begin);
    stack -= 6; // callee-saved registers that switch_stack pops
    std::memset(stack, 0, 6 * sizeof(std::uint64_t));
    thread->kernel_stack_pointer = reinterpret_cast<std::uint64_t>(stack);
    return thread;
}

void discard_thread(Thread& thread) {
    free_thread(thread);
}

void make_runnable(Thread& thread) {
    thread.state = ThreadState::runnable;
    thread.next_ready = nullptr;
    if (ready_last != nullptr)
        ready_last->next_ready = &thread;
    else
        ready_first = &thread;
    ready_last = &thread;
}

void interrupt_sleep(Thread& thread) {
    if (thread.state == ThreadState::sleeping)
        make_runnable(thread);
}

void run_first(Thread& thread) {
    become(thread);
    leave_boot_stack(reinterpret_cast<std::uint64_t>(&thread.frame()));
}

void yield() {
    if (ready_first == nullptr)
        return;
    make_runnable(*running);
    switch_away();
}

void note_slice_end() {
    if (slice_end != never && monotonic_ns() >= slice_end)
        slice_over = true;
}

void preempt_if_due() {
    if (slice_over && ready_first != nullptr)
        yield();
    else
        set_slice();
}

void preemption_point() {
    cpu::interrupts_on();
    cpu::pause(); // STI holds interrupts off for one instruction
    cpu::interrupts_off();
    if (ready_first != nullptr && monotonic_ns() - running->switched_in >= slice_ns)
        yield();
    else
        set_slice();
}

void end_current() {
    running->state = ThreadState::dead;
    switch_away();
    base::fail("a dead thread ran", __builtin_FILE(), __builtin_LINE());
}

ThreadWaiter::ThreadWaiter() : Waiter(&end_sleep, Stay::until_woken), thread_(running) {}

void ThreadWaiter::end_sleep(Waiter& waiter, std::uint32_t) {
    auto& mine = static_cast<ThreadWaiter&>(waiter);
    mine.woken_ = true;
    mine.thread_->woken = true;
    interrupt_sleep(*mine.thread_);
}

Status sleep(Deadline deadline) {
    Thread& thread = *running;
    if (std::exchange(thread.woken, false))
        return base::success;
    if (signal::must_look(thread))
        return base::Failure{Errno::restart_sys};
    if (deadline <= monotonic_ns())
        return base::Failure{Errno::timedout};
    thread.timed_out = false;
    SleepTimer timer{thread};
    arm(timer, deadline);
    thread.state = ThreadState::sleeping;
    switch_away();
    disarm(timer);
    if (std::exchange(thread.woken, false))
        return base::success;
    if (signal::must_look(thread))
        return base::Failure{Errno::restart_sys};
    if (thread.timed_out)
        return base::Failure{Errno::timedout};
    return base::success;
}

Status wait(WaitQueue& queue, Deadline deadline) {
    ThreadWaiter waiter;
    queue.add(waiter);
    return sleep(deadline);
}

std::uint64_t thread_cpu_ns(const Thread& thread) {
    return thread.cpu_ns + (&thread == running && !idle ? monotonic_ns() - thread.switched_in : 0);
}

std::uint64_t process_cpu_ns(const Process& process) {
    std::uint64_t total = process.dead_threads_ns;
    for (const Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        total += thread_cpu_ns(*thread);
    return total;
}

void after_switch() {
    finish_switch();
}

} // namespace sched
} // namespace uk
