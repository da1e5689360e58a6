// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/time.cpp - clocks and sleeping.
#include "partitions/unikernel/task/process.hpp"

#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include <array>

namespace uk {

namespace {

namespace clock_id {
enum : int {
    realtime = 0,
    monotonic = 1,
    process_cpu = 2,
    thread_cpu = 3,
    monotonic_raw = 4,
    realtime_coarse = 5,
    monotonic_coarse = 6,
    boot = 7,
    realtime_alarm = 8,
    boot_alarm = 9,
    tai = 11
};
}
// CPU clocks of a given process or thread: ~id << 3 | bits.
constexpr int cpu_clock_thread_bit = 4, cpu_clock_kind_mask = 3;

Result<std::uint64_t> read_cpu_clock(int id) {
    const int target = ~(id >> 3);
    if ((id & cpu_clock_kind_mask) == cpu_clock_kind_mask)
        return base::Failure{Errno::inval};
    if ((id & cpu_clock_thread_bit) == 0) {
        const Process* process = target == 0 ? &current_process() : find_process(target);
        if (process == nullptr)
            return base::Failure{Errno::inval};
        return sched::process_cpu_ns(*process);
    }
    const Thread* thread = target == 0 ? &current() : find_thread(target);
    if (thread == nullptr || thread->process != &current_process())
        return base::Failure{Errno::inval};
    return sched::thread_cpu_ns(*thread);
}

Result<std::uint64_t> read_clock(int id) {
    switch (id) {
    case clock_id::realtime:
    case clock_id::realtime_coarse:
    case clock_id::tai: // no leap seconds are known
        return realtime_ns();
    case clock_id::monotonic:
    case clock_id::monotonic_raw:
    case clock_id::monotonic_coarse:
    case clock_id::boot:
        return monotonic_ns();
    case clock_id::process_cpu:
        return sched::process_cpu_ns(current_process());
    case clock_id::thread_cpu:
        return sched::thread_cpu_ns(current());
    default:
        if (id < 0)
            return read_cpu_clock(id);
        return base::Failure{Errno::inval};
    }
}

// Until the deadline, or a signal.
Status sleep_until(Deadline deadline) {
    for (;;) {
        const Status slept = sched::sleep(deadline);
        if (slept.ok())
            continue; // woken for nothing
        return slept.error() == Errno::timedout ? Status{base::success} : slept;
    }
}

// A relative sleep: when a signal ends it, the rest of the time goes to `remaining`, where that is wanted, and without a
// handler it goes on to the same point in time.
SyscallResult sleep_the_rest(const signal::Restart& self) {
    const Status slept = sleep_until(self.deadline);
    if (slept.ok())
        return 0;
    if (const mm::UserAddress remaining{self.values[0]}; remaining.value() != 0) {
        const std::uint64_t now = monotonic_ns();
        CAISSON_TRY(mm::write_user(remaining, to_timespec(self.deadline > now ? self.deadline - now : 0)));
    }
    current().restart = self;
    return base::Failure{Errno::restart_block};
}

SyscallResult sleep_for(std::uint64_t ns, mm::UserAddress remaining) {
    return sleep_the_rest({&sleep_the_rest, deadline_after(ns), {remaining.value()}});
}

} // namespace

SyscallResult sys_nanosleep(const Arguments& arguments) {
    const std::uint64_t ns = CAISSON_TRY(read_timespec(arguments.pointer(0)));
    return sleep_for(ns, arguments.pointer(1));
}

SyscallResult sys_clock_nanosleep(const Arguments& arguments) {
    constexpr std::uint32_t absolute = 1;
    const int id = arguments.integer(0);
    if (id != clock_id::realtime && id != clock_id::monotonic && id != clock_id::boot &&
        id != clock_id::tai) {
        const bool known =
            id == clock_id::process_cpu || (id >= clock_id::monotonic_raw && id <= clock_id::boot_alarm);
        return base::Failure{known ? Errno::opnotsupp : Errno::inval};
    }
    const std::uint64_t ns = CAISSON_TRY(read_timespec(arguments.pointer(2)));
    if ((arguments.word(1) & absolute) == 0)
        return sleep_for(ns, arguments.pointer(3));
    const bool of_the_day = id == clock_id::realtime || id == clock_id::tai;
    if (!sleep_until(of_the_day ? realtime_to_deadline(ns) : ns).ok())
        return base::Failure{Errno::restart_without_handler};
    return 0;
}

SyscallResult sys_clock_gettime(const Arguments& arguments) {
    const std::uint64_t ns = CAISSON_TRY(read_clock(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), to_timespec(ns)));
    return 0;
}

SyscallResult sys_clock_getres(const Arguments& arguments) {
    constexpr std::int64_t tick_ns = 4'000'000; // what programs expect of the coarse clocks; these are finer
    const int id = arguments.integer(0);
    (void)CAISSON_TRY(read_clock(id));
    const bool coarse = id == clock_id::realtime_coarse || id == clock_id::monotonic_coarse;
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), TimeSpec{0, coarse ? tick_ns : 1}));
    return 0;
}

SyscallResult sys_gettimeofday(const Arguments& arguments) {
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), to_timeval(realtime_ns())));
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), std::uint64_t{0})); // struct timezone: UTC
    return 0;
}

// Nobody in a container sets the clock: CAP_SYS_TIME is not among its capabilities.
SyscallResult sys_clock_settime(const Arguments& arguments) {
    const int id = arguments.integer(0);
    if (id != clock_id::realtime)
        return base::Failure{Errno::inval};
    (void)CAISSON_TRY(read_timespec(arguments.pointer(1)));
    return base::Failure{Errno::perm};
}

SyscallResult sys_settimeofday(const Arguments& arguments) {
    if (arguments[0] != 0) {
        const auto wanted = CAISSON_TRY(mm::read_user<TimeMicro>(arguments.pointer(0)));
        (void)CAISSON_TRY(to_ns(wanted));
    }
    return base::Failure{Errno::perm};
}

namespace {

struct Adjustment { // struct timex
    std::uint32_t modes, padding;
    std::int64_t offset, frequency, maximum_error, estimated_error;
    std::int32_t status, padding2;
    std::int64_t constant, precision, tolerance;
    TimeMicro time;
    std::int64_t tick;
    std::array<std::uint64_t, 14> rest; // pulses a second: none
};
static_assert(sizeof(Adjustment) == 208);

// How the clock is kept: by itself, which Linux calls an error until somebody disciplines it.
SyscallResult describe_clock(mm::UserAddress at) {
    constexpr std::int32_t unsynchronized = 0x40;
    constexpr std::uint64_t time_error = 5;
    constexpr std::int64_t unknown_error_us = 16'000'000, tolerance = 500 << 16, tick_us = 10'000;
    const auto wanted = CAISSON_TRY(mm::read_user<Adjustment>(at));
    if (wanted.modes != 0)
        return base::Failure{Errno::perm};
    Adjustment out{};
    out.maximum_error = out.estimated_error = unknown_error_us;
    out.status = unsynchronized;
    out.constant = 2;
    out.precision = 1;
    out.tolerance = tolerance;
    out.time = to_timeval(realtime_ns());
    out.tick = tick_us;
    CAISSON_TRY(mm::write_user(at, out));
    return time_error;
}

} // namespace

SyscallResult sys_adjtimex(const Arguments& arguments) {
    return describe_clock(arguments.pointer(0));
}

SyscallResult sys_clock_adjtime(const Arguments& arguments) {
    if (arguments.integer(0) != clock_id::realtime)
        return base::Failure{arguments.integer(0) == clock_id::monotonic ? Errno::opnotsupp : Errno::inval};
    return describe_clock(arguments.pointer(1));
}

SyscallResult sys_time(const Arguments& arguments) {
    const std::uint64_t seconds = realtime_ns() / second_ns;
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), seconds));
    return seconds;
}

} // namespace uk
