// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/scheduling.cpp - sched_* and priorities: one class, round robin on each CPU.
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/syscalls/time_values.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk {

namespace {

constexpr int other = 0, fifo = 1, round_robin = 2, batch = 3, idle = 5;

Thread* named(int id) { // 0: who asks
    return id == 0 ? &current() : find_thread(id);
}

Status exists(int id) {
    return named(id) != nullptr ? Status{base::success} : Status{base::Failure{Errno::srch}};
}

// Another user's priorities are root's to change.
Status may_change(const Thread& thread) {
    const fs::Credentials& mine = current_process().context.credentials;
    const fs::Credentials& theirs = thread.process->context.credentials;
    const bool same = mine.effective_user == theirs.effective_user || mine.effective_user == theirs.real_user;
    return same || current_process().capabilities().can(capability::priority)
               ? Status{base::success}
               : Status{base::Failure{Errno::perm}};
}

Status check_thread(int id) {
    if (id < 0)
        return base::Failure{Errno::inval};
    return exists(id);
}

} // namespace

SyscallResult sys_sched_yield(const Arguments&) {
    sched::yield();
    return 0;
}

// A CPU orders its accesses at every way into the kernel and out of it, and by an interrupt where it runs a program; it forgets what it
// fetched by the way out of that interrupt (IRETQ), or by loading the tables anew where it came in by itself.
SyscallResult sys_membarrier(const Arguments& arguments) {
    constexpr std::uint32_t query = 0, global = 1 << 0, global_expedited = 1 << 1, register_global = 1 << 2,
                            expedited = 1 << 3, of_code = 1 << 5, of_sequences = 1 << 7, one_cpu = 1,
                            private_ones = expedited | of_code | of_sequences, known = (1 << 9) - 1;
    const std::uint32_t command = arguments.word(0), flags = arguments.word(1);
    if ((command & ~known) != 0 || (command & (command - 1)) != 0 ||
        (flags != 0 && (command != of_sequences || flags != one_cpu)))
        return base::Failure{Errno::inval};
    mm::AddressSpace& own = *current_process().space;
    if (command == query)
        return known;
    if ((command & (global | global_expedited)) != 0) {
        for (unsigned i = 0; i < machine::cpu_count; ++i)
            if (mm::AddressSpace* space = machine::cpus[i]->space)
                mm::order_accesses(*space);
    } else if ((command & private_ones) != 0) {
        if ((own.barriers & command << 1) == 0) // each is asked for before
            return base::Failure{Errno::perm};
        if (command == of_sequences)
            sched::restart_sequences(own, flags != 0 ? arguments.word(2) : sched::on_all);
        else
            mm::order_accesses(own);
    } else if (command != register_global) {
        own.barriers |= command;
    }
    return 0;
}

SyscallResult sys_sched_getaffinity(const Arguments& arguments) {
    const Thread* thread = named(arguments.integer(0));
    if (thread == nullptr)
        return base::Failure{Errno::srch};
    const std::uint64_t set = thread->affinity & sched::all_cpus();
    if (arguments[1] < sizeof(set) || arguments[1] % sizeof(set) != 0)
        return base::Failure{Errno::inval};
    CAISSON_TRY(mm::write_user(arguments.pointer(2), set));
    return sizeof(set);
}

SyscallResult sys_sched_setaffinity(const Arguments& arguments) {
    std::uint64_t set = 0;
    CAISSON_TRY(mm::copy_in(&set, arguments.pointer(2), std::min(arguments[1], sizeof(set))));
    Thread* thread = named(arguments.integer(0));
    if (thread == nullptr)
        return base::Failure{Errno::srch};
    CAISSON_TRY(may_change(*thread));
    if ((set & sched::all_cpus()) == 0)
        return base::Failure{Errno::inval};
    sched::set_affinity(*thread, set);
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

namespace {

// PRIO_PROCESS, PRIO_PGRP, PRIO_USER name threads, and IOPRIO_WHO_ the same from 1.
template <typename Each> Status each_of(std::uint32_t kind, std::uint32_t id, Each each) {
    constexpr std::uint32_t one = 0, group = 1, user = 2;
    const Process& self = current_process();
    if (kind > user)
        return base::Failure{Errno::inval};
    if (id == 0)
        id = kind == one     ? static_cast<std::uint32_t>(current().id)
             : kind == group ? static_cast<std::uint32_t>(self.group->id)
                             : self.context.credentials.real_user;
    bool found = false;
    for (Process* process = process_list(); process != nullptr; process = process->next)
        for (Thread* thread = process->threads; thread != nullptr; thread = thread->next_in_process) {
            const auto named = kind == one     ? static_cast<std::uint32_t>(thread->id)
                               : kind == group ? static_cast<std::uint32_t>(process->group->id)
                                               : process->context.credentials.real_user;
            if (named != id)
                continue;
            found = true;
            if (const Status done = each(*thread); !done.ok())
                return done;
        }
    if (!found)
        return base::Failure{Errno::srch};
    return base::success;
}

} // namespace

SyscallResult sys_getpriority(const Arguments& arguments) {
    int least = 20;
    CAISSON_TRY(each_of(arguments.word(0), arguments.word(1), [&least](const Thread& thread) -> Status {
        least = std::min<int>(least, thread.nice);
        return base::success;
    }));
    return static_cast<std::uint64_t>(20 - least); // as the raw call returns it: never negative
}

// It is kept and told; nothing here is ordered by it, as on a Linux with one busy process.
SyscallResult sys_setpriority(const Arguments& arguments) {
    const int nice = std::clamp(arguments.integer(2), -20, 19);
    CAISSON_TRY(each_of(arguments.word(0), arguments.word(1), [nice](Thread& thread) -> Status {
        if (const Status allowed = may_change(thread); !allowed.ok())
            return allowed;
        if (nice < thread.nice && !current_process().capabilities().can(capability::priority))
            return base::Failure{Errno::acces};
        thread.nice = static_cast<std::int8_t>(nice);
        return base::success;
    }));
    return 0;
}

SyscallResult sys_ioprio_get(const Arguments& arguments) {
    std::uint16_t priority = 0;
    CAISSON_TRY(
        each_of(arguments.word(0) - 1, arguments.word(1), [&priority](const Thread& thread) -> Status {
            priority = std::max(priority, thread.io_priority);
            return base::success;
        }));
    return priority;
}

SyscallResult sys_ioprio_set(const Arguments& arguments) {
    constexpr std::uint32_t class_shift = 13, levels = 8, none = 0, realtime = 1, best_effort = 2, last = 3;
    const std::uint32_t priority = arguments.word(2), kind = priority >> class_shift & 7,
                        level = priority & 7;
    if (priority > 0xFFFF || kind > last || (kind == none && level != 0) ||
        ((kind == realtime || kind == best_effort) && level >= levels))
        return base::Failure{Errno::inval};
    if (kind == realtime && !current_process().capabilities().can(capability::priority))
        return base::Failure{Errno::perm};
    CAISSON_TRY(each_of(arguments.word(0) - 1, arguments.word(1), [priority](Thread& thread) -> Status {
        if (const Status allowed = may_change(thread); !allowed.ok())
            return allowed;
        thread.io_priority = static_cast<std::uint16_t>(priority);
        return base::success;
    }));
    return 0;
}

} // namespace uk
