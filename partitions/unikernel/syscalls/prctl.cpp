// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/prctl.cpp - settings of a single thread or process.
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <array>

namespace uk {

SyscallResult sys_arch_prctl(const Arguments& arguments) {
    constexpr int set_gs = 0x1001, set_fs = 0x1002, get_fs = 0x1003, get_gs = 0x1004;
    Thread& thread = current();
    switch (arguments.integer(0)) {
    case set_fs:
    case set_gs:
        if (arguments[1] >= mm::user_end)
            return base::Failure{Errno::perm};
        (arguments.integer(0) == set_fs ? thread.fs_base : thread.gs_base) = arguments[1];
        sched::load_user_bases(thread);
        return 0;
    case get_fs:
        CAISSON_TRY(mm::write_user(arguments.pointer(1), thread.fs_base));
        return 0;
    case get_gs:
        CAISSON_TRY(mm::write_user(arguments.pointer(1), thread.gs_base));
        return 0;
    default:
        return base::Failure{Errno::inval};
    }
}

SyscallResult sys_prctl(const Arguments& arguments) {
    constexpr int set_death_signal = 1, get_death_signal = 2, get_dumpable = 3, set_dumpable = 4,
                  get_keep_caps = 7, set_name = 15, get_name = 16, capability_bound_read = 23,
                  set_timer_slack = 29, get_timer_slack = 30, set_no_new_privileges = 38,
                  get_no_new_privileges = 39;
    constexpr std::uint64_t timer_slack_ns = 50'000, last_capability = 40;
    Thread& thread = current();
    Process& process = *thread.process;
    switch (arguments.integer(0)) {
    case set_name: {
        std::array<char, 16> name{};
        for (std::size_t i = 0; i + 1 < name.size(); ++i) {
            name[i] = CAISSON_TRY(mm::read_user<char>(mm::UserAddress{arguments[1] + i}));
            if (name[i] == '\0')
                break;
        }
        thread.name = name;
        return 0;
    }
    case get_name:
        CAISSON_TRY(mm::write_user(arguments.pointer(1), thread.name));
        return 0;
    case set_death_signal: // the parent is outside the partition and outlives it
        return arguments[1] <= 64 ? SyscallResult{0} : SyscallResult{base::Failure{Errno::inval}};
    case get_death_signal:
        CAISSON_TRY(mm::write_user(arguments.pointer(1), std::int32_t{0}));
        return 0;
    case get_dumpable:
        return process.dumpable ? 1 : 0;
    case set_dumpable:
        if (arguments[1] > 1)
            return base::Failure{Errno::inval};
        process.dumpable = arguments[1] != 0;
        return 0;
    case get_keep_caps:
        return 0;
    case capability_bound_read:
        return arguments[1] <= last_capability ? SyscallResult{1}
                                               : SyscallResult{base::Failure{Errno::inval}};
    case set_timer_slack:
        return 0;
    case get_timer_slack:
        return timer_slack_ns;
    case set_no_new_privileges:
        if (arguments[1] != 1 || arguments[2] != 0 || arguments[3] != 0 || arguments[4] != 0)
            return base::Failure{Errno::inval};
        process.no_new_privileges = true;
        return 0;
    case get_no_new_privileges:
        return process.no_new_privileges ? 1 : 0;
    default:
        return base::Failure{Errno::inval};
    }
}

SyscallResult sys_personality(const Arguments& arguments) {
    constexpr std::uint32_t query = 0xFFFFFFFF;
    Process& process = current_process();
    const std::uint32_t old = process.personality;
    if (arguments.word(0) != query)
        process.personality = arguments.word(0);
    return old;
}

} // namespace uk
