// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/scheduler.hpp - which thread runs: round robin on one CPU, pre-emptive in user
// mode.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::sched {

inline constexpr std::uint64_t slice_ns = 10'000'000;

// A thread with a kernel stack, in no queue. Its frame is all zero. nullptr: out of memory or too many.
[[nodiscard]] Thread* make_thread(Process& process);
void discard_thread(Thread& thread); // one that never ran

// Puts a thread that is ready at the end of the queue.
void make_runnable(Thread& thread);
// Wakes a sleeping thread so that it sees its signals.
void interrupt_sleep(Thread& thread);

// The first thread of all: leaves the boot stack for good.
[[noreturn]] void run_first(Thread& thread);

void yield(); // behind the others that are ready
// Inside a long call, where nothing is half done: interrupts are taken, and others run when they are due.
void preemption_point();
void preempt_if_due();           // on the way to user mode
void note_slice_end();           // the timer fired
[[noreturn]] void end_current(); // the current thread is never run again; its memory goes

void after_switch(); // first act of a new thread

// Context of a thread's own: what is loaded while it runs.
void load_user_bases(const Thread& thread);
[[nodiscard]] std::uint64_t thread_cpu_ns(const Thread& thread);
[[nodiscard]] std::uint64_t process_cpu_ns(const Process& process);

} // namespace uk::sched
