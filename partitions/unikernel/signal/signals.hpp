// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/signals.hpp - sending signals, and acting on them on the way to user mode.
//
// Invariants: I1  a pending signal is not ignored, unless it is blocked
//             I2  SIGKILL and SIGSTOP are never blocked, caught or ignored
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::signal {

// Nothing happens to a process that is about to end. EAGAIN: a real-time signal with a value finds the queue full
// (RLIMIT_SIGPENDING).
Status send_to_process(Process& process, const Information& information);
Status send_to_thread(Thread& thread, const Information& information);
// A timer's own node, to the thread or, nullptr, to the process. False: it is ignored and does not wait.
bool send_own(Process& process, Thread* thread, Waiting& own);
void withdraw(Process& process, Waiting& own);
void set_action(Process& process, int number, const Action& action);
// A fault of the current thread's own: delivered even when blocked or ignored (then by default action).
void force_fault(const Information& information);

// On the way to user mode: there is something for act_on_pending. Called until there is not.
[[nodiscard]] bool has_to_act(const TrapFrame& frame);
// Acts on one signal that waits for the current thread; settles an interrupted system call (EINTR or restart).
void act_on_pending(TrapFrame& frame);

// rt_sigreturn: registers, mask and vector state from the frame on the user stack. False: it is not there.
[[nodiscard]] bool restore_from_frame(TrapFrame& frame);

void set_blocked(Thread& thread, Set blocked);
// A new program: handlers to default, what is ignored stays ignored, POSIX timers go.
void reset_for_exec(Thread& thread);

// Every thread of the process is to end, with that status of wait4(2); the first to say so counts.
void begin_end(Process& process, int status);

// Job control: the current thread waits as long as its process is stopped.
void stop_process(Process& process, int number);
void continue_process(Process& process);
void park();
void note_thread_gone(Process& process); // it may have been the last that was not parked
// Nobody of the group's session could continue it: its parents are in the group, or elsewhere.
[[nodiscard]] bool is_orphaned(const Pid& group, const Process* without = nullptr);
// SIGCHLD, or what clone(2) asked for, with what became of the child. False: the parent wants to hear nothing.
struct ChildNews {
    int code, status;
};
void tell_parent(Process& who, int number, const ChildNews& news);

// Seams to process/, which is above: the end of the current thread, and of the process by a signal.
[[noreturn]] void end_thread();
[[noreturn]] void end_process(int number);

// Status 128 + number, with a report of what happened for those that mean a crash.
[[noreturn]] void die(TrapFrame& frame, const Information& information);

} // namespace uk::signal
