// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/scheduler.hpp - which thread runs where: round robin on each CPU, pre-emptive in user mode.
//
// Invariants: I1  a thread is in a run queue exactly while it is runnable and no CPU runs it
//             I2  `on_cpu` is set while a CPU is on a thread's kernel stack; no other CPU runs it then, and its memory stays
//             I3  a CPU without a thread that is ready is on its idle thread, with the kernel's own tables
#pragma once

#include "partitions/unikernel/sched/cpu.hpp"
#include "partitions/unikernel/sched/load.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk::sched {

inline constexpr std::uint64_t slice_ns = 10'000'000;

// A thread with a kernel stack, in no queue. Its frame is all zero. nullptr: out of memory or too many.
[[nodiscard]] Thread* make_thread(Process& process);
void discard_thread(Thread& thread); // one that never ran

// Puts a thread that is ready at the end of a queue.
void make_runnable(Thread& thread);
// The thread sees its signals: it is woken, or its CPU looks around.
void interrupt_sleep(Thread& thread);
// The CPUs that it may run on, at least one that runs.
void set_affinity(Thread& thread, std::uint64_t affinity);

// Threads of the space that run elsewhere, on one CPU or all, begin their restartable sequences anew (signal/restartable.hpp): when this
// returns none is within the one it was in.
inline constexpr std::uint32_t on_all = ~std::uint32_t{0};
void restart_sequences(const mm::AddressSpace& space, std::uint32_t only);

// An idle thread for a CPU. False: out of memory.
[[nodiscard]] bool make_idle_thread(Cpu& cpu);
// The first thing that a further CPU runs, with the kernel lock.
[[noreturn]] void run_further_cpu();
// The first thread of all: leaves the boot stack for good.
[[noreturn]] void run_first(Thread& thread);

void yield(); // behind the others that are ready
// Inside a long call, where nothing is half done, at most every 100 microseconds: interrupts are taken, other CPUs have the
// kernel, and other threads run when they are due.
void preemption_point();
// Acts on the interrupts that came: timers run, a turn ends.
void act_on_interrupts();
// Another partition rang. The handler only notes it, for it holds no lock; `poll_lanes` is called then.
void acknowledge_lanes();
void acknowledge_kick(); // by another CPU: what for is seen on the way out
inline void (*poll_lanes)() = nullptr;
[[noreturn]] void end_current(); // the current thread is never run again; its memory goes

void after_switch(); // first act of a new thread

// On the way to user mode.
void look_around();
inline void preempt_if_due() {
    if (this_cpu().attention)
        look_around();
}

// Context of a thread's own: what is loaded while it runs.
void load_user_bases(const Thread& thread);
[[nodiscard]] std::uint64_t thread_cpu_ns(const Thread& thread);
[[nodiscard]] std::uint64_t process_cpu_ns(const Process& process);
// Of 1, 5 and 15 minutes, in units of 1 / LoadAverages::one.
[[nodiscard]] const std::array<std::uint64_t, 3>& load_averages();

} // namespace uk::sched
