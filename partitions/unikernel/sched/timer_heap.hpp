// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/timer_heap.hpp - timers by their time: a pairing heap inside the timers themselves.
//
// Pure; nothing is allocated, so arming cannot fail. Entering costs a comparison, taking out a logarithm on
// average. Timers of one time come in the order they were entered.
#pragma once

#include "partitions/unikernel/machine/clock.hpp"

#include <cstdint>

namespace uk::sched {

class TimerHeap;

// Embedded in what waits for it; `fire` runs once, with interrupts off, when the time has come.
struct Timer {
    using Fire = void (*)(Timer& timer);
    explicit Timer(Fire function) : fire(function) {}
    Timer(const Timer&) = delete;
    Timer& operator=(const Timer&) = delete;

    Fire fire;
    Deadline at = never;
    bool armed = false;
    // The heap that it is in, where it is armed: of the CPU that armed it.
    [[nodiscard]] TimerHeap* heap() const { return heap_; }

private:
    friend class TimerHeap;
    TimerHeap* heap_ = nullptr;
    std::uint64_t order_ = 0;
    Timer* child_ = nullptr;    // the first of those that come later
    Timer* sibling_ = nullptr;  // the next child of the same parent
    Timer* previous_ = nullptr; // the child before, or the parent
};

class TimerHeap {
public:
    TimerHeap() = default;
    TimerHeap(const TimerHeap&) = delete;
    TimerHeap& operator=(const TimerHeap&) = delete;
    [[nodiscard]] Timer* first() const { return first_; } // the next to come, or nullptr
    void add(Timer& timer, Deadline at);                  // it is not in the heap
    void remove(Timer& timer);                            // nothing where it is not armed

private:
    static Timer* meld(Timer* one, Timer* other);
    static Timer* meld_children(Timer* child);

    Timer* first_ = nullptr;
    std::uint64_t entered_ = 0;
};

} // namespace uk::sched
