// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/host_seam.cpp - the clock and the timers of tests.
#include "partitions/unikernel/net/host_seam.hpp"

#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/sched/timer.hpp"

namespace uk {

namespace net::host {
std::uint64_t& now() {
    static std::uint64_t the_time = 1'000'000'000;
    return the_time;
}
} // namespace net::host

namespace sched {

namespace {
TimerHeap& timers() {
    static TimerHeap heap;
    return heap;
}
} // namespace

void arm(Timer& timer, Deadline at) {
    disarm(timer);
    timers().add(timer, at);
}

void disarm(Timer& timer) {
    if (timer.armed)
        timers().remove(timer);
}

} // namespace sched

void net::host::run_timers() {
    for (sched::Timer* timer = sched::timers().first(); timer != nullptr && timer->at <= now();
         timer = sched::timers().first()) {
        sched::disarm(*timer);
        timer->fire(*timer);
    }
}

std::uint64_t monotonic_ns() {
    return net::host::now();
}

Deadline deadline_after(std::uint64_t duration) {
    return monotonic_ns() + duration;
}

} // namespace uk
