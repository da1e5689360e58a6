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

namespace {

constexpr std::uint64_t last_capability = 40;

// Nothing is inheritable, so nothing can be raised.
SyscallResult ambient_capabilities(const Arguments& arguments) {
    constexpr std::uint64_t is_set = 1, raise = 2, lower = 3, clear_all = 4;
    const std::uint64_t what = arguments[1], capability = arguments[2];
    if (arguments[3] != 0 || arguments[4] != 0)
        return base::Failure{Errno::inval};
    if (what == clear_all)
        return capability == 0 ? SyscallResult{0} : SyscallResult{base::Failure{Errno::inval}};
    if ((what != is_set && what != raise && what != lower) || capability > last_capability)
        return base::Failure{Errno::inval};
    return what == raise ? SyscallResult{base::Failure{Errno::perm}} : SyscallResult{0};
}

} // namespace

SyscallResult sys_prctl(const Arguments& arguments) {
    constexpr int set_death_signal = 1, get_death_signal = 2, get_dumpable = 3, set_dumpable = 4,
                  get_keep_caps = 7, set_keep_caps = 8, set_name = 15, get_name = 16,
                  capability_bound_read = 23, capability_bound_drop = 24, get_secure_bits = 27,
                  set_secure_bits = 28, capability_ambient = 47, set_timer_slack = 29, get_timer_slack = 30,
                  set_no_new_privileges = 38, get_no_new_privileges = 39;
    constexpr std::uint64_t timer_slack_ns = 50'000;
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
        return process.keep_capabilities ? 1 : 0;
    case set_keep_caps:
        if (arguments[1] > 1)
            return base::Failure{Errno::inval};
        process.keep_capabilities = arguments[1] != 0;
        return 0;
    case capability_bound_read:
        return arguments[1] <= last_capability ? SyscallResult{1}
                                               : SyscallResult{base::Failure{Errno::inval}};
    case capability_bound_drop: // root cannot give up single capabilities here (identity.cpp)
        return base::Failure{arguments[1] <= last_capability || !process.context.credentials.privileged()
                                 ? Errno::perm
                                 : Errno::inval};
    case get_secure_bits:
        return 0;
    case set_secure_bits:
        return arguments[1] == 0 && process.context.credentials.privileged()
                   ? SyscallResult{0}
                   : SyscallResult{base::Failure{Errno::perm}};
    case capability_ambient:
        return ambient_capabilities(arguments);
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
