// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/timer.hpp - things that happen at a point of the monotonic clock; tickless.
#pragma once

#include "partitions/unikernel/machine/clock.hpp"

namespace uk::sched {

// Embedded in what waits for it; `fire` runs once, with interrupts off, when the time has come.
struct Timer {
    using Fire = void (*)(Timer& timer);
    explicit Timer(Fire function) : fire(function) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    Fire fire;
    Deadline at = never;
    Timer* next = nullptr;
    bool armed = false;
};

void arm(Timer& timer, Deadline at); // also moves an armed one; `never` only disarms
void disarm(Timer& timer);
void run_due_timers();

// Sets the CPU's one-shot timer to the next thing to happen. `slice_end`: when the running thread's turn is
// over.
void program_timer(Deadline slice_end);

// `hz`: the local APIC timer's clock before its divider; 0: measured against the TSC.
void set_up_timer(std::uint64_t hz);
void acknowledge_timer();

} // namespace uk::sched
