// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/interval_timer.hpp - timers that send a signal: alarm, setitimer(2) and POSIX timers.
//
// A periodic one goes on when its signal is taken, not before: a period of a nanosecond with the signal blocked costs nothing.
// A timer on CPU time looks again at the earliest moment at which that much time can have been used.
#pragma once

#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/signal/period.hpp"
#include "partitions/unikernel/task/pending.hpp"

namespace uk {
struct Process;
struct Thread;
} // namespace uk

namespace uk::signal {

enum class TimerClock { realtime, monotonic, process_cpu, thread_cpu };

class IntervalTimer : public sched::Timer {
public:
    // `number` 0: nothing is sent. `thread` 0: to the process.
    IntervalTimer(Process& process, TimerClock clock, const Information& information, int thread);
    ~IntervalTimer();

    // `expiry` on its clock; 0 stops it.
    void set(std::uint64_t expiry, std::uint64_t interval);
    [[nodiscard]] std::uint64_t now() const;
    [[nodiscard]] std::uint64_t left() const; // 0: it does not run
    [[nodiscard]] std::uint64_t interval() const { return period_.interval; }
    [[nodiscard]] std::uint64_t overruns() const { return overruns_; }

    int id = 0;
    IntervalTimer* next_in_process = nullptr;

private:
    struct Node : Waiting {
        IntervalTimer* timer = nullptr;
    };
    static void fired(sched::Timer& timer);
    static void taken(Waiting& node);
    void start(std::uint64_t when);
    [[nodiscard]] Thread* receiver() const;

    Process& process_;
    TimerClock clock_;
    int thread_;
    Period period_;
    bool running_ = false; // it will fire, or its signal waits and it goes on then
    std::uint64_t overruns_ = 0;
    Node node_;
};

// The three of setitimer(2): ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF. nullptr: out of memory.
[[nodiscard]] IntervalTimer* interval_timer(Process& process, unsigned which);
// POSIX timers do not outlive a program.
void drop_posix_timers(Process& process);

} // namespace uk::signal
