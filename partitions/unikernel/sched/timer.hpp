// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/timer.hpp - things that happen at a point of the monotonic clock; tickless.
#pragma once

#include "partitions/unikernel/sched/timer_heap.hpp"

namespace uk::sched {

void arm(Timer& timer, Deadline at); // also moves an armed one; `never` only disarms
void disarm(Timer& timer);
void run_due_timers();

// Sets the CPU's one-shot timer so that it comes no later than the next thing to happen. `slice_end`: when the running thread's turn is
// over.
void program_timer(Deadline slice_end);

// `hz`: the local APIC timer's clock before its divider; 0: measured against the TSC.
void set_up_timer(std::uint64_t hz);
void set_up_further_timer(); // of a CPU that is not the first
void acknowledge_timer();    // the interrupt's handler: only notes that it came, for it holds no lock

} // namespace uk::sched
