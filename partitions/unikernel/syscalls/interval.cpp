// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/interval.cpp - alarm(2), setitimer(2) and POSIX timers.
//
// User and system time are not told apart: ITIMER_VIRTUAL counts both.
#include "partitions/unikernel/signal/interval_timer.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <array>

namespace uk {

namespace {

constexpr unsigned interval_real = 0, interval_last = 2;

struct IntervalValue { // struct itimerval
    TimeMicro interval, value;
};
struct IntervalSpec { // struct itimerspec
    TimeSpec interval, value;
};

IntervalValue value_of(const signal::IntervalTimer& timer) {
    return {to_timeval(timer.interval()), to_timeval(timer.left())};
}

IntervalSpec spec_of(const signal::IntervalTimer& timer) {
    return {to_timespec(timer.interval()), to_timespec(timer.left())};
}

Result<signal::IntervalTimer*> interval_timer(unsigned which) {
    if (which > interval_last)
        return base::Failure{Errno::inval};
    signal::IntervalTimer* timer = signal::interval_timer(current_process(), which);
    if (timer == nullptr)
        return base::Failure{Errno::nomem};
    return timer;
}

// `after` nanoseconds from now; 0 stops it.
void set_after(signal::IntervalTimer& timer, std::uint64_t after, std::uint64_t interval) {
    std::uint64_t at = 0;
    if (after != 0 && __builtin_add_overflow(timer.now(), after, &at))
        at = never;
    timer.set(at, interval);
}

} // namespace

SyscallResult sys_alarm(const Arguments& arguments) {
    signal::IntervalTimer& timer = *CAISSON_TRY(interval_timer(interval_real));
    const std::uint64_t left = (timer.left() + second_ns - 1) / second_ns;
    set_after(timer, arguments.word(0) * second_ns, 0);
    return left;
}

SyscallResult sys_setitimer(const Arguments& arguments) {
    signal::IntervalTimer& timer = *CAISSON_TRY(interval_timer(arguments.word(0)));
    IntervalValue wanted{};
    if (arguments[1] != 0)
        wanted = CAISSON_TRY(mm::read_user<IntervalValue>(arguments.pointer(1)));
    const std::uint64_t value = CAISSON_TRY(to_ns(wanted.value)),
                        interval = CAISSON_TRY(to_ns(wanted.interval));
    const IntervalValue old = value_of(timer);
    set_after(timer, value, interval);
    if (arguments[2] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(2), old));
    return 0;
}

SyscallResult sys_getitimer(const Arguments& arguments) {
    const signal::IntervalTimer& timer = *CAISSON_TRY(interval_timer(arguments.word(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), value_of(timer)));
    return 0;
}

namespace {

struct EventRequest { // struct sigevent
    std::uint64_t value;
    std::int32_t number, notify, thread, padding;
    std::array<std::uint64_t, 5> rest;
};
static_assert(sizeof(EventRequest) == 64);

Result<signal::IntervalTimer*> find_timer(int id) {
    for (signal::IntervalTimer* timer = current_process().posix_timers; timer != nullptr;
         timer = timer->next_in_process)
        if (timer->id == id)
            return timer;
    return base::Failure{Errno::inval};
}

Result<signal::TimerClock> timer_clock(int id) {
    constexpr int realtime = 0, monotonic = 1, process_cpu = 2, thread_cpu = 3, monotonic_raw = 4,
                  realtime_coarse = 5, monotonic_coarse = 6, boot = 7, tai = 11;
    switch (id) {
    case realtime:
    case tai:
        return signal::TimerClock::realtime;
    case monotonic:
    case boot:
        return signal::TimerClock::monotonic;
    case process_cpu:
        return signal::TimerClock::process_cpu;
    case thread_cpu:
        return signal::TimerClock::thread_cpu;
    case monotonic_raw:
    case realtime_coarse:
    case monotonic_coarse:
        return base::Failure{Errno::opnotsupp};
    default:
        return base::Failure{Errno::inval};
    }
}

// Timers count against RLIMIT_SIGPENDING, for each has room for its signal.
bool one_more_allowed(const Process& process) {
    std::uint64_t count = 0;
    for (const signal::IntervalTimer* timer = process.posix_timers; timer != nullptr;
         timer = timer->next_in_process)
        ++count;
    return count < process.limits[static_cast<unsigned>(Resource::pending_signals)].soft;
}

bool is_thread(const Process& process, int id) {
    for (const Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id == id)
            return true;
    return false;
}

} // namespace

SyscallResult sys_timer_create(const Arguments& arguments) {
    constexpr int by_signal = 0, none = 1, by_thread = 2, to_thread = 4;
    Process& process = current_process();
    const signal::TimerClock clock = CAISSON_TRY(timer_clock(arguments.integer(0)));
    const int id = process.next_timer_id;
    EventRequest request{};
    request.value = static_cast<std::uint32_t>(id);
    request.number = signal::alarm;
    if (arguments[1] != 0)
        request = CAISSON_TRY(mm::read_user<EventRequest>(arguments.pointer(1)));
    if (request.notify != by_signal && request.notify != none && request.notify != by_thread &&
        request.notify != to_thread)
        return base::Failure{Errno::inval};
    if (request.notify != none && (request.number < 1 || request.number > signal::count))
        return base::Failure{Errno::inval};
    if (request.notify == to_thread && !is_thread(process, request.thread))
        return base::Failure{Errno::inval};
    if (!one_more_allowed(process))
        return base::Failure{Errno::again};
    signal::Information information;
    information.number = request.notify == none ? 0 : request.number;
    information.code = signal::code::timer;
    information.process = id;
    information.value = request.value;
    const int thread = request.notify == to_thread               ? request.thread
                       : clock == signal::TimerClock::thread_cpu ? current().id
                                                                 : 0;
    CAISSON_TRY(mm::write_user(arguments.pointer(2), static_cast<std::int32_t>(id)));
    auto* timer = mm::make<signal::IntervalTimer>(process, clock, information, thread);
    if (timer == nullptr)
        return base::Failure{Errno::again};
    timer->id = id;
    timer->next_in_process = process.posix_timers;
    process.posix_timers = timer;
    process.next_timer_id = id == 0x7FFFFFFF ? 0 : id + 1;
    return 0;
}

SyscallResult sys_timer_settime(const Arguments& arguments) {
    constexpr int absolute = 1;
    const auto wanted = CAISSON_TRY(mm::read_user<IntervalSpec>(arguments.pointer(2)));
    const std::uint64_t value = CAISSON_TRY(to_ns(wanted.value)),
                        interval = CAISSON_TRY(to_ns(wanted.interval));
    signal::IntervalTimer& timer = *CAISSON_TRY(find_timer(arguments.integer(0)));
    const IntervalSpec old = spec_of(timer);
    if ((arguments.integer(1) & absolute) != 0)
        timer.set(value, interval);
    else
        set_after(timer, value, interval);
    if (arguments[3] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(3), old));
    return 0;
}

SyscallResult sys_timer_gettime(const Arguments& arguments) {
    const signal::IntervalTimer& timer = *CAISSON_TRY(find_timer(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), spec_of(timer)));
    return 0;
}

SyscallResult sys_timer_getoverrun(const Arguments& arguments) {
    return CAISSON_TRY(find_timer(arguments.integer(0)))->overruns();
}

SyscallResult sys_timer_delete(const Arguments& arguments) {
    signal::IntervalTimer* timer = CAISSON_TRY(find_timer(arguments.integer(0)));
    for (signal::IntervalTimer** link = &current_process().posix_timers; *link != nullptr;
         link = &(*link)->next_in_process)
        if (*link == timer) {
            *link = timer->next_in_process;
            break;
        }
    mm::destroy(timer);
    return 0;
}

} // namespace uk
