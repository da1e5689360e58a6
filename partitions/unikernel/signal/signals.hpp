// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/signals.hpp - sending signals, and acting on them on the way to user mode.
//
// Invariants: I1  a pending signal is not ignored, unless it is blocked
//             I2  SIGKILL and SIGSTOP are never blocked, caught or ignored
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::signal {

void send_to_process(Process& process, const Information& information);
void send_to_thread(Thread& thread, const Information& information);
// A fault of the current thread's own: delivered even when blocked or ignored (then by default action).
void force_fault(const Information& information);

// Takes one pending signal of `wanted` away; number 0: none.
[[nodiscard]] Information take(Thread& thread, Set wanted);

// Acts on everything pending for the current thread; settles an interrupted system call (EINTR or restart).
void act_on_pending(TrapFrame& frame);

// rt_sigreturn: registers, mask and vector state from the frame on the user stack. False: it is not there.
[[nodiscard]] bool restore_from_frame(TrapFrame& frame);

void set_blocked(Thread& thread, Set blocked);
// A new program: handlers to default, what is ignored stays ignored.
void reset_for_exec(Thread& thread);

// Seams to process/, which is above: the end of the current thread, and of the process by a signal.
[[noreturn]] void end_thread();
[[noreturn]] void end_process(int number);

// Status 128 + number, with a report of what happened for those that mean a crash.
[[noreturn]] void die(TrapFrame& frame, const Information& information);

} // namespace uk::signal
