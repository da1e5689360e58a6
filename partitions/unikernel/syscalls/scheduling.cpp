// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/scheduling.cpp - sched_* and priorities: one CPU, one class, round robin.
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

namespace {

constexpr int other = 0, fifo = 1, round_robin = 2, batch = 3, idle = 5;

Status check_thread(int id) {
    if (id < 0)
        return base::Failure{Errno::inval};
    if (id == 0)
        return base::success;
    for (const Thread* thread = current_process().threads; thread != nullptr;
         thread = thread->next_in_process)
        if (thread->id == id)
            return base::success;
    return base::Failure{Errno::srch};
}

} // namespace

SyscallResult sys_sched_yield(const Arguments&) {
    sched::yield();
    return 0;
}

// With one CPU every switch between threads orders memory: the commands succeed, there is nothing to do.
SyscallResult sys_membarrier(const Arguments& arguments) {
    constexpr std::uint32_t query = 0, global = 1 << 0, global_expedited = 1 << 1, register_global = 1 << 2,
                            expedited = 1 << 3, register_expedited = 1 << 4;
    constexpr std::uint32_t known =
        global | global_expedited | register_global | expedited | register_expedited;
    const std::uint32_t command = arguments.word(0);
    if (arguments.word(1) != 0 || (command & ~known) != 0 || (command & (command - 1)) != 0)
        return base::Failure{Errno::inval};
    return command == query ? known : 0;
}

SyscallResult sys_sched_getaffinity(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    constexpr std::uint64_t one_cpu = 1;
    if (arguments[1] < sizeof(one_cpu) || arguments[1] % sizeof(one_cpu) != 0)
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::write_user(arguments.pointer(2), one_cpu));
    return sizeof(one_cpu);
}

SyscallResult sys_sched_setaffinity(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    if (arguments[1] == 0)
        return base::Failure{Errno::inval};
    const auto mask = CAISSON_TRY(mm::read_user<std::uint8_t>(arguments.pointer(2)));
    if ((mask & 1) == 0)
        return base::Failure{Errno::inval};
    return 0;
}

SyscallResult sys_sched_getscheduler(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    return other;
}

SyscallResult sys_sched_setscheduler(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    const int policy = arguments.integer(1);
    const auto priority = CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(2)));
    if (policy == other || policy == batch || policy == idle)
        return priority == 0 ? SyscallResult{0} : SyscallResult{base::Failure{Errno::inval}};
    return base::Failure{policy == fifo || policy == round_robin ? Errno::perm : Errno::inval};
}

SyscallResult sys_sched_getparam(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), std::int32_t{0}));
    return 0;
}

SyscallResult sys_sched_setparam(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    if (CAISSON_TRY(mm::read_user<std::int32_t>(arguments.pointer(1))) != 0)
        return base::Failure{Errno::inval};
    return 0;
}

SyscallResult sys_sched_get_priority_max(const Arguments& arguments) {
    switch (arguments.integer(0)) {
    case fifo:
    case round_robin:
        return 99;
    case other:
    case batch:
    case idle:
        return 0;
    default:
        return base::Failure{Errno::inval};
    }
}

SyscallResult sys_sched_get_priority_min(const Arguments& arguments) {
    const auto most = CAISSON_TRY(sys_sched_get_priority_max(arguments));
    return most == 0 ? 0 : 1;
}

SyscallResult sys_sched_rr_get_interval(const Arguments& arguments) {
    CAISSON_TRY(check_thread(arguments.integer(0)));
    CAISSON_TRY(mm::write_user(arguments.pointer(1), to_timespec(sched::slice_ns)));
    return 0;
}

SyscallResult sys_getpriority(const Arguments& arguments) {
    constexpr int users = 2;
    constexpr std::uint64_t nice_zero = 20; // as the raw call returns it
    return arguments.word(0) <= users ? SyscallResult{nice_zero} : SyscallResult{base::Failure{Errno::inval}};
}

// Nothing to order: a nicer program gives way to itself only.
SyscallResult sys_setpriority(const Arguments& arguments) {
    constexpr int users = 2;
    if (arguments.word(0) > users)
        return base::Failure{Errno::inval};
    if (arguments.integer(2) < 0 && !current_process().context.credentials.privileged())
        return base::Failure{Errno::acces};
    return 0;
}

} // namespace uk
