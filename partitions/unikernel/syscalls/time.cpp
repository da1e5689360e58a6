// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/time.cpp - clocks and sleeping.
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

namespace {

namespace clock_id {
constexpr int realtime = 0, monotonic = 1, process_cpu = 2, thread_cpu = 3, monotonic_raw = 4,
              realtime_coarse = 5, monotonic_coarse = 6, boot = 7, realtime_alarm = 8, boot_alarm = 9,
              tai = 11;
}
// CPU clocks of a given process or thread: ~id << 3 | bits.
constexpr int cpu_clock_thread_bit = 4, cpu_clock_kind_mask = 3;

Result<std::uint64_t> read_cpu_clock(int id) {
    const int target = ~(id >> 3);
    if ((id & cpu_clock_kind_mask) == cpu_clock_kind_mask)
        return base::Failure{Errno::inval};
    if ((id & cpu_clock_thread_bit) == 0) {
        if (target != 0 && target != current_process().id)
            return base::Failure{Errno::inval};
        return sched::process_cpu_ns(current_process());
    }
    for (const Thread* thread = current_process().threads; thread != nullptr;
         thread = thread->next_in_process)
        if (thread->id == target || (target == 0 && thread == &current()))
            return sched::thread_cpu_ns(*thread);
    return base::Failure{Errno::inval};
}

Result<std::uint64_t> read_clock(int id) {
    switch (id) {
    case clock_id::realtime:
    case clock_id::realtime_coarse:
    case clock_id::realtime_alarm:
    case clock_id::tai: // no leap seconds are known
        return realtime_ns();
    case clock_id::monotonic:
    case clock_id::monotonic_raw:
    case clock_id::monotonic_coarse:
    case clock_id::boot:
    case clock_id::boot_alarm:
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

// Until the deadline. EINTR on a signal, with the rest of the time in `remaining` where it is wanted.
SyscallResult sleep_until(Deadline deadline, mm::UserAddress remaining) {
    for (;;) {
        const Status slept = sched::sleep(deadline);
        if (slept.ok())
            continue; // woken for nothing
        if (slept.error() == Errno::timedout)
            return 0;
        if (remaining.value() != 0) {
            const std::uint64_t now = monotonic_ns();
            CAISSON_TRY(mm::write_user(remaining, to_timespec(deadline > now ? deadline - now : 0)));
        }
        return base::Failure{Errno::intr};
    }
}

} // namespace

SyscallResult sys_nanosleep(const Arguments& arguments) {
    const std::uint64_t ns = CAISSON_TRY(read_timespec(arguments.pointer(0)));
    return sleep_until(deadline_after(ns), arguments.pointer(1));
}

SyscallResult sys_clock_nanosleep(const Arguments& arguments) {
    constexpr std::uint32_t absolute = 1;
    const int id = arguments.integer(0);
    if (id != clock_id::realtime && id != clock_id::monotonic && id != clock_id::boot && id != clock_id::tai)
        return base::Failure{id == clock_id::process_cpu || id == clock_id::monotonic_raw ? Errno::opnotsupp
                                                                                          : Errno::inval};
    const std::uint64_t ns = CAISSON_TRY(read_timespec(arguments.pointer(2)));
    if ((arguments.word(1) & absolute) == 0)
        return sleep_until(deadline_after(ns), arguments.pointer(3));
    const bool of_the_day = id == clock_id::realtime || id == clock_id::tai;
    return sleep_until(of_the_day ? realtime_to_deadline(ns) : ns, mm::UserAddress{0});
}

SyscallResult sys_clock_gettime(const Arguments& arguments) {
    const std::uint64_t ns = CAISSON_TRY(read_clock(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), to_timespec(ns)));
    return 0;
}

SyscallResult sys_clock_getres(const Arguments& arguments) {
    (void)CAISSON_TRY(read_clock(arguments.integer(0)));
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), TimeSpec{0, 1}));
    return 0;
}

SyscallResult sys_gettimeofday(const Arguments& arguments) {
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), to_timeval(realtime_ns())));
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), std::uint64_t{0})); // struct timezone: UTC
    return 0;
}

SyscallResult sys_time(const Arguments& arguments) {
    const std::uint64_t seconds = realtime_ns() / second_ns;
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), seconds));
    return seconds;
}

} // namespace uk
