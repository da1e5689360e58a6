// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/scheduler.cpp - see scheduler.hpp.
#include "partitions/unikernel/sched/scheduler.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/machine/local_timer.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/flush.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"
#include "partitions/unikernel/sched/placement.hpp"
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/sched/wait.hpp"

#include <cstring>
#include <utility>

namespace uk::sched {

extern "C" [[noreturn]] void run_idle();

namespace {

LoadAverages loads;
std::uint64_t idle_cpus = 0; // those that are on their idle thread, and nothing is ready there
std::uint64_t with_ready = 0;
std::uint32_t turn = 0; // which CPU is looked at besides the one where a thread ran

// How many threads run there or are ready, without `one`.
std::uint32_t load_of(const Cpu& cpu, const Thread* one) {
    return cpu.ready.count() + (cpu.thread != cpu.idle && cpu.thread != one ? 1 : 0);
}

void count_load(std::uint64_t now) {
    std::uint64_t active = 0;
    for (unsigned i = 0; i < machine::cpu_count; ++i)
        active += load_of(cpu_of(i), nullptr);
    loads.catch_up(now, active);
}

// The CPU looks around before it goes on with a program.
void kick(Cpu& cpu) {
    cpu.attention = true;
    if (&cpu == &this_cpu() || cpu.kicked)
        return;
    cpu.kicked = true;
    cpu.count(cpu.thread == cpu.idle ? machine::Interrupt::wake_up : machine::Interrupt::kick);
    machine::send_interrupt(cpu.number, machine::kick_vector);
}

Cpu& place(const Thread& thread) {
    turn = turn + 1 == machine::cpu_count ? 0 : turn + 1;
    const Placement at{thread.affinity & all_cpus(), idle_cpus, thread.cpu, turn};
    return cpu_of(choose_cpu(at, [&](std::uint32_t cpu) { return load_of(cpu_of(cpu), &thread); }));
}

// Behind the others that are ready, where it fits best. A CPU hears of it that would not look for it.
[[gnu::noinline]] void enqueue_somewhere(Thread& thread) {
    Cpu& cpu = place(thread);
    thread.cpu = cpu.number;
    cpu.ready.push(thread);
    with_ready |= cpu.bit;
    idle_cpus &= ~cpu.bit;
    if (&cpu == &this_cpu() || cpu.slice_end == never)
        kick(cpu);
}

inline void enqueue(Cpu& here, Thread& thread) {
    if (machine::cpu_count > 1)
        return enqueue_somewhere(thread);
    here.ready.push(thread);
}

// The first of the CPU's queue that is `wanted`.
template <typename Wanted> Thread* dequeue(Cpu& cpu, Wanted wanted) {
    Thread* thread = cpu.ready.take_if(wanted);
    if (cpu.ready.empty())
        with_ready &= ~cpu.bit;
    return thread;
}

// A thread came from the CPU's queue, or there was none: then one that waits for another CPU, if there is one.
[[gnu::noinline]] Thread* after_taking(Cpu& cpu, Thread* own) {
    if (cpu.ready.empty())
        with_ready &= ~cpu.bit;
    if (own != nullptr)
        return own;
    for (std::uint64_t left = with_ready; left != 0;) {
        Cpu& other = cpu_of(next_of(left, cpu.number));
        left &= ~other.bit;
        if (Thread* thread =
                dequeue(other, [&](const Thread& ready) { return (ready.affinity & cpu.bit) != 0; })) {
            thread->cpu = cpu.number;
            return thread;
        }
    }
    return nullptr;
}

inline Thread* next_thread(Cpu& cpu) {
    Thread* next = cpu.ready.take();
    return machine::cpu_count == 1 ? next : after_taking(cpu, next);
}

void free_thread(Thread& thread) {
    base::expects(!thread.on_cpu, "a thread is freed whose stack is in use");
    mm::unmap_kernel_stack(thread.stack_end);
    mm::destroy(&thread);
}

// A sleeping thread's deadline.
struct SleepTimer : Timer {
    explicit SleepTimer(Thread& sleeper) : Timer(&fired), thread(sleeper) {}
    static void fired(Timer& timer) {
        Thread& sleeper = static_cast<SleepTimer&>(timer).thread;
        sleeper.timed_out = true;
        if (sleeper.state == ThreadState::sleeping)
            make_runnable(sleeper);
    }
    Thread& thread;
};

// Runs on the new thread's stack, after every switch.
void finish_switch() {
    Thread* left = std::exchange(this_cpu().left, nullptr);
    if (left == nullptr)
        return;
    left->on_cpu = false;
    if (left->state == ThreadState::dead)
        free_thread(*left);
}

// What `next` needs in the CPU, except its stack. The way out looks at its turn.
void become(Cpu& cpu, Thread& next) {
    cpu.thread = &next;
    next.restart_due = next.restartable != 0;
    cpu.slice_over = false;
    cpu.attention = true;
    next.on_cpu = true;
    mm::catch_up_with_stacks(cpu);
    machine::set_kernel_stack(next.kernel_stack_top);
    if (&next == cpu.idle) {
        idle_cpus |= cpu.bit;
        mm::leave_spaces();
        return;
    }
    load_user_bases(next);
    if (mm::active_space() != next.process->space.get())
        next.process->space->activate();
    machine::restore_vectors(next.vector_state);
}

// Leaves the current thread, which is in a queue, asleep or dead.
void switch_to(Thread& next) {
    Cpu& cpu = this_cpu();
    Thread& previous = *cpu.thread;
    base::expects(!next.on_cpu, "a thread runs twice");
    const std::uint64_t now = monotonic_ns();
    previous.cpu_ns += now - previous.switched_in;
    next.switched_in = now;
    if (loads.due(now))
        count_load(now);
    if (previous.vector_state != nullptr && previous.state != ThreadState::dead)
        machine::save_vectors(previous.vector_state);
    cpu.left = &previous;
    become(cpu, next);
    switch_stack(&previous.kernel_stack_pointer, next.kernel_stack_pointer);
    finish_switch();
}

void switch_away() {
    Cpu& cpu = this_cpu();
    Thread* next = next_thread(cpu);
    switch_to(next != nullptr ? *next : *cpu.idle);
}

void set_slice(Cpu& cpu) {
    cpu.attention = false;
    cpu.slice_end = cpu.ready.empty() ? never : cpu.thread->switched_in + slice_ns;
    program_timer(cpu.slice_end);
}

// A thread whose first switch goes to `entry` on its kernel stack; the state of the vector unit (64-byte aligned) is at the end
// of the stack's pages, the frame below it. nullptr: out of memory or too many.
Thread* make_on_stack(Process* process, std::uint64_t vector_bytes, void (*entry)()) {
    mm::Owned<Thread> thread{mm::make<Thread>()};
    if (thread == nullptr)
        return nullptr;
    thread->stack_end = mm::map_kernel_stack();
    if (thread->stack_end == 0)
        return nullptr;
    thread->process = process;
    thread->kernel_stack_top = base::round_down(thread->stack_end - vector_bytes, 64);
    std::memset(&thread->frame(), 0, thread->stack_end - reinterpret_cast<std::uint64_t>(&thread->frame()));
    auto* stack = reinterpret_cast<std::uint64_t*>(&thread->frame());
    *--stack = reinterpret_cast<std::uint64_t>(entry);
    stack -= 6; // callee-saved registers that switch_stack pops
    std::memset(stack, 0, 6 * sizeof(std::uint64_t));
    thread->kernel_stack_pointer = reinterpret_cast<std::uint64_t>(stack);
    return thread.release();
}

} // namespace

void load_user_bases(const Thread& thread) {
    machine::load_user_bases(thread.fs_base, thread.gs_base);
}

Thread* make_thread(Process& process) {
    Thread* thread = make_on_stack(&process, machine::features().vector_bytes, &thread_begin);
    if (thread != nullptr)
        thread->vector_state = reinterpret_cast<std::byte*>(thread->kernel_stack_top);
    return thread;
}

void discard_thread(Thread& thread) {
    free_thread(thread);
}

bool make_idle_thread(Cpu& cpu) {
    cpu.bit = std::uint64_t{1} << cpu.number;
    cpu.idle = make_on_stack(nullptr, 0, &idle_begin);
    return cpu.idle != nullptr;
}

void make_runnable(Thread& thread) {
    Cpu& cpu = this_cpu();
    thread.state = ThreadState::runnable;
    cpu.attention = true;
    enqueue(cpu, thread);
}

void interrupt_sleep(Thread& thread) {
    if (thread.state == ThreadState::sleeping)
        make_runnable(thread);
    else if (thread.on_cpu && &thread != &current())
        kick(cpu_of(thread.cpu));
}

void set_affinity(Thread& thread, std::uint64_t affinity) {
    thread.affinity = affinity;
    Cpu& cpu = cpu_of(thread.cpu);
    if (thread.on_cpu) {
        cpu.slice_over = true; // its turn there may be
        kick(cpu);
    } else if (dequeue(cpu, [&](const Thread& ready) { return &ready == &thread; }) != nullptr) {
        enqueue(cpu, thread);
    }
}

void restart_sequences(const mm::AddressSpace& space, std::uint32_t only) {
    for (std::uint32_t i = 0; i < machine::cpu_count; ++i) {
        Cpu& other = cpu_of(i);
        if (&other == &this_cpu() || other.space != &space || (only != on_all && only != i) ||
            other.thread->restartable == 0)
            continue;
        other.thread->restart_due = true;
        kick(other);
        const mm::ThisCpu self;
        while (self.mode_of(&other) == machine::Mode::user) // in the kernel it looks before it leaves
            cpu::pause();
    }
}

void run_first(Thread& thread) {
    thread.switched_in = monotonic_ns();
    become(this_cpu(), thread);
    leave_boot_stack(reinterpret_cast<std::uint64_t>(&thread.frame()));
}

void run_further_cpu() {
    Cpu& cpu = this_cpu();
    become(cpu, *cpu.idle);
    run_idle();
}

void yield() {
    Cpu& cpu = this_cpu();
    if (cpu.ready.empty() && (cpu.thread->affinity & cpu.bit) != 0)
        return;
    enqueue(cpu, *cpu.thread);
    switch_away();
}

void act_on_interrupts() {
    Cpu& cpu = this_cpu();
    if (std::exchange(cpu.lanes_rang, false) && poll_lanes != nullptr)
        poll_lanes();
    if (!std::exchange(cpu.timer_fired, false))
        return;
    run_due_timers();
    if (cpu.slice_end != never && monotonic_ns() >= cpu.slice_end)
        cpu.slice_over = true;
    cpu.attention = true;
}

void acknowledge_lanes() {
    this_cpu().lanes_rang = true;
    machine::end_interrupt();
}

void acknowledge_kick() {
    this_cpu().kicked = false;
    machine::end_interrupt();
}

void look_around() {
    Cpu& cpu = this_cpu();
    if (cpu.slice_over)
        yield();
    set_slice(this_cpu());
}

void preemption_point() {
    set_slice(this_cpu());
    mm::let_others_in(machine::Mode::kernel, &take_interrupts);
    act_on_interrupts();
    preempt_if_due();
}

extern "C" [[noreturn]] void run_idle() {
    finish_switch();
    for (;;) {
        Cpu& cpu = this_cpu();
        Thread* next = nullptr;
        while ((next = next_thread(cpu)) == nullptr) {
            cpu.slice_end = never;
            idle_cpus |= cpu.bit;
            if (fs::free_a_piece()) {
                mm::let_others_in(machine::Mode::idle, &take_interrupts);
                act_on_interrupts();
                continue;
            }
            program_timer(never);
            mm::let_others_in(machine::Mode::idle, &idle_wait);
            act_on_interrupts();
        }
        idle_cpus &= ~cpu.bit;
        switch_to(*next);
    }
}

void end_current() {
    current().state = ThreadState::dead;
    switch_away();
    base::fail("a dead thread ran", __builtin_FILE(), __builtin_LINE());
}

ThreadWaiter::ThreadWaiter() : Waiter(&end_sleep, Stay::until_woken), thread_(&current()) {}

void ThreadWaiter::end_sleep(Waiter& waiter, std::uint32_t) {
    auto& mine = static_cast<ThreadWaiter&>(waiter);
    mine.woken_ = true;
    sched::end_sleep(*mine.thread_);
}

void end_sleep(Thread& thread) {
    thread.woken = true;
    if (thread.state == ThreadState::sleeping)
        make_runnable(thread);
}

Status sleep(Deadline deadline) {
    Thread& thread = current();
    if (std::exchange(thread.woken, false))
        return base::success;
    if (signal::must_look(thread))
        return base::Failure{Errno::restart_sys};
    if (deadline != never && deadline <= monotonic_ns())
        return base::Failure{Errno::timedout};
    thread.timed_out = false;
    SleepTimer timer{thread};
    if (deadline != never)
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
    return thread.cpu_ns + (thread.on_cpu ? monotonic_ns() - thread.switched_in : 0);
}

std::uint64_t process_cpu_ns(const Process& process) {
    std::uint64_t total = process.dead_threads_ns;
    for (const Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        total += thread_cpu_ns(*thread);
    return total;
}

const std::array<std::uint64_t, 3>& load_averages() {
    count_load(monotonic_ns());
    return loads.values();
}

void after_switch() {
    finish_switch();
}

} // namespace uk::sched
