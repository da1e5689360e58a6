// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/interval.cpp - alarm(2), setitimer(2) and POSIX timers.
//
// Timers on CPU time are not there (EINVAL): nothing counts down while a thread computes.
#include "partitions/unikernel/sched/timer.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <array>

namespace uk {

namespace {

struct IntervalTimer : sched::Timer {
    IntervalTimer() : Timer(&fired) {}
    static void fired(sched::Timer& timer);

    std::uint64_t period = 0;
    signal::Information information; // sent each time; number 0: none
    int thread = 0;                  // to this thread; 0: to the process
    std::uint64_t overruns = 0;

    [[nodiscard]] std::uint64_t left() const {
        const std::uint64_t now = monotonic_ns();
        return !armed ? 0 : at > now ? at - now : 1;
    }
};

void IntervalTimer::fired(sched::Timer& timer) {
    auto& self = static_cast<IntervalTimer&>(timer);
    if (self.period != 0) {
        const std::uint64_t missed = (monotonic_ns() - self.at) / self.period;
        self.overruns = missed;
        sched::arm(self, self.at + (missed + 1) * self.period);
    }
    if (self.information.number == 0)
        return;
    self.information.user = static_cast<std::uint32_t>(std::min<std::uint64_t>(self.overruns, 0x7FFFFFFF));
    Process& process = main_process();
    if (self.thread == 0) {
        signal::send_to_process(process, self.information);
        return;
    }
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id == self.thread)
            signal::send_to_thread(*thread, self.information);
}

IntervalTimer real_timer; // ITIMER_REAL and alarm

void set_timer(IntervalTimer& timer, std::uint64_t value, std::uint64_t period) {
    timer.period = period;
    timer.overruns = 0;
    sched::arm(timer, value == 0 ? never : deadline_after(value));
}

IntervalTimer& alarm_timer() {
    real_timer.information.number = signal::alarm;
    real_timer.information.code = signal::code::kernel;
    return real_timer;
}

struct IntervalValue { // struct itimerval
    TimeMicro interval, value;
};
struct IntervalSpec { // struct itimerspec
    TimeSpec interval, value;
};

IntervalValue value_of(const IntervalTimer& timer) {
    return {to_timeval(timer.period), to_timeval(timer.left())};
}

} // namespace

SyscallResult sys_alarm(const Arguments& arguments) {
    IntervalTimer& timer = alarm_timer();
    const std::uint64_t left = (timer.left() + second_ns - 1) / second_ns;
    set_timer(timer, arguments.word(0) * second_ns, 0);
    return left;
}

SyscallResult sys_setitimer(const Arguments& arguments) {
    constexpr int real = 0;
    if (arguments.integer(0) != real)
        return base::Failure{Errno::inval};
    IntervalTimer& timer = alarm_timer();
    const IntervalValue old = value_of(timer);
    IntervalValue wanted{};
    if (arguments[1] != 0)
        wanted = CAISSON_TRY(mm::read_user<IntervalValue>(arguments.pointer(1)));
    const std::uint64_t value = CAISSON_TRY(to_ns(wanted.value)),
                        period = CAISSON_TRY(to_ns(wanted.interval));
    set_timer(timer, value, period);
    if (arguments[2] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(2), old));
    return 0;
}

SyscallResult sys_getitimer(const Arguments& arguments) {
    constexpr int real = 0, last = 2;
    if (arguments.word(0) > last)
        return base::Failure{Errno::inval};
    const IntervalValue value = arguments.integer(0) == real ? value_of(alarm_timer()) : IntervalValue{};
    CAISSON_TRY(mm::write_user(arguments.pointer(1), value));
    return 0;
}

namespace {

constexpr std::size_t timers_max = 32;
std::array<IntervalTimer*, timers_max> timers{};
std::array<bool, timers_max> timer_of_the_day{};

struct EventRequest { // struct sigevent
    std::uint64_t value;
    std::int32_t number, notify, thread, padding;
    std::array<std::uint64_t, 5> rest;
};
static_assert(sizeof(EventRequest) == 64);

Result<IntervalTimer*> find_timer(int id) {
    if (id < 0 || static_cast<std::size_t>(id) >= timers_max || timers[static_cast<unsigned>(id)] == nullptr)
        return base::Failure{Errno::inval};
    return timers[static_cast<unsigned>(id)];
}

IntervalSpec spec_of(const IntervalTimer& timer) {
    return {to_timespec(timer.period), to_timespec(timer.left())};
}

} // namespace

SyscallResult sys_timer_create(const Arguments& arguments) {
    constexpr int realtime = 0, monotonic = 1, boot = 7;
    constexpr int by_signal = 0, none = 1, to_thread = 4;
    const int clock = arguments.integer(0);
    if (clock != realtime && clock != monotonic && clock != boot)
        return base::Failure{Errno::inval};
    std::size_t slot = 0;
    while (slot < timers_max && timers[slot] != nullptr)
        ++slot;
    if (slot == timers_max)
        return base::Failure{Errno::again};
    EventRequest request{};
    request.value = slot;
    request.number = signal::alarm;
    if (arguments[1] != 0)
        request = CAISSON_TRY(mm::read_user<EventRequest>(arguments.pointer(1)));
    if ((request.notify != by_signal && request.notify != none && request.notify != to_thread) ||
        (request.notify != none && (request.number < 1 || request.number > signal::count)))
        return base::Failure{Errno::inval};
    auto* timer = mm::make<IntervalTimer>();
    if (timer == nullptr)
        return base::Failure{Errno::again};
    timer->information.number = request.notify == none ? 0 : request.number;
    timer->information.code = signal::code::timer;
    timer->information.process = static_cast<std::int32_t>(slot);
    timer->information.value = request.value;
    timer->thread = request.notify == to_thread ? request.thread : 0;
    const Status written = mm::write_user(arguments.pointer(2), static_cast<std::int32_t>(slot));
    if (!written.ok()) {
        mm::destroy(timer);
        return base::Failure{written.error()};
    }
    timers[slot] = timer;
    timer_of_the_day[slot] = clock == realtime;
    return 0;
}

SyscallResult sys_timer_settime(const Arguments& arguments) {
    constexpr int absolute = 1;
    IntervalTimer& timer = *CAISSON_TRY(find_timer(arguments.integer(0)));
    const auto wanted = CAISSON_TRY(mm::read_user<IntervalSpec>(arguments.pointer(2)));
    const std::uint64_t value = CAISSON_TRY(to_ns(wanted.value)),
                        period = CAISSON_TRY(to_ns(wanted.interval));
    const IntervalSpec old = spec_of(timer);
    set_timer(timer, value, period);
    if (value != 0 && (arguments.integer(1) & absolute) != 0)
        sched::arm(timer, timer_of_the_day[arguments.word(0)] ? realtime_to_deadline(value) : value);
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), old));
    return 0;
}

SyscallResult sys_timer_gettime(const Arguments& arguments) {
    const IntervalTimer& timer = *CAISSON_TRY(find_timer(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), spec_of(timer)));
    return 0;
}

SyscallResult sys_timer_getoverrun(const Arguments& arguments) {
    const IntervalTimer& timer = *CAISSON_TRY(find_timer(arguments.integer(0)));
    return std::min<std::uint64_t>(timer.overruns, 0x7FFFFFFF);
}

SyscallResult sys_timer_delete(const Arguments& arguments) {
    IntervalTimer* timer = CAISSON_TRY(find_timer(arguments.integer(0)));
    sched::disarm(*timer);
    timers[arguments.word(0)] = nullptr;
    mm::destroy(timer);
    return 0;
}

} // namespace uk
