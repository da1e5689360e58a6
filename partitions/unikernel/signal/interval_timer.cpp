// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/interval_timer.cpp - see interval_timer.hpp.
#include "partitions/unikernel/signal/interval_timer.hpp"

#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk::signal {

namespace {

// How soon something is looked at again that could come at once: an ignored signal, a little CPU time.
constexpr std::uint64_t breath_ns = 1'000'000;
constexpr std::uint64_t overruns_max = 0x7FFFFFFF; // DELAYTIMER_MAX

} // namespace

IntervalTimer::IntervalTimer(Process& process, TimerClock clock, const Information& information, int thread)
    : Timer(&fired), process_(process), clock_(clock), thread_(thread) {
    node_.information = information;
    node_.taken = &taken;
    node_.timer = this;
}

IntervalTimer::~IntervalTimer() {
    sched::disarm(*this);
    withdraw(process_, node_);
}

Thread* IntervalTimer::receiver() const {
    for (Thread* thread = process_.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id == thread_)
            return thread;
    return nullptr;
}

std::uint64_t IntervalTimer::now() const {
    switch (clock_) {
    case TimerClock::realtime:
        return realtime_ns();
    case TimerClock::monotonic:
        return monotonic_ns();
    case TimerClock::process_cpu:
        return sched::process_cpu_ns(process_);
    case TimerClock::thread_cpu: {
        const Thread* thread = receiver();
        return thread == nullptr ? 0 : sched::thread_cpu_ns(*thread);
    }
    }
    return 0;
}

// Arms the CPU's timer for that time of its clock.
void IntervalTimer::start(std::uint64_t when) {
    const std::uint64_t clock = now();
    std::uint64_t wait = when > clock ? when - clock : 0;
    if (clock_ == TimerClock::process_cpu || clock_ == TimerClock::thread_cpu)
        wait = std::max(wait, breath_ns);
    sched::arm(*this, deadline_after(wait));
}

void IntervalTimer::set(std::uint64_t expiry, std::uint64_t interval) {
    sched::disarm(*this);
    period_ = {expiry, expiry == 0 ? 0 : interval};
    overruns_ = 0;
    running_ = expiry != 0;
    if (running_)
        start(expiry);
}

std::uint64_t IntervalTimer::left() const {
    return running_ ? period_.left(now()) : 0;
}

void IntervalTimer::fired(sched::Timer& timer) {
    auto& self = static_cast<IntervalTimer&>(timer);
    if (self.now() < self.period_.expiry) { // CPU time, and the program slept
        self.start(self.period_.expiry);
        return;
    }
    self.running_ = self.period_.interval != 0;
    Thread* thread = self.thread_ != 0 ? self.receiver() : nullptr;
    const bool nobody = self.node_.information.number == 0 || (self.thread_ != 0 && thread == nullptr);
    if (!nobody && send_own(self.process_, thread, self.node_))
        return;
    if (self.running_) {
        self.period_.expiry = self.period_.next(self.now());
        self.start(std::max(self.period_.expiry, self.now() + breath_ns));
    }
}

void IntervalTimer::taken(Waiting& node) {
    IntervalTimer& self = *static_cast<Node&>(node).timer;
    if (self.armed) // set again since
        return;
    self.overruns_ = std::min(self.period_.missed(self.now()), overruns_max);
    node.information.user = static_cast<std::uint32_t>(self.overruns_);
    if (self.running_) {
        self.period_.expiry = self.period_.next(self.now());
        self.start(self.period_.expiry);
    }
}

IntervalTimer* interval_timer(Process& process, unsigned which) {
    constexpr std::array<int, 3> numbers{alarm, virtual_alarm, profile};
    IntervalTimer*& timer = process.interval_timers[which];
    if (timer == nullptr) {
        Information information;
        information.number = numbers[which];
        information.code = code::kernel;
        timer = mm::make<IntervalTimer>(process, which == 0 ? TimerClock::monotonic : TimerClock::process_cpu,
                                        information, 0);
    }
    return timer;
}

void drop_posix_timers(Process& process) {
    while (process.posix_timers != nullptr) {
        IntervalTimer* timer = process.posix_timers;
        process.posix_timers = timer->next_in_process;
        mm::destroy(timer);
    }
}

} // namespace uk::signal
