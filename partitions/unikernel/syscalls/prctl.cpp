// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/prctl.cpp - settings of a single thread or process.
#include "hypervisor/base/text.hpp"
#include "partitions/abi/startup.h"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/seccomp.hpp"
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

SyscallResult ambient_capabilities(Capabilities& mine, const Arguments& arguments) {
    constexpr std::uint64_t is_set = 1, raise = 2, lower = 3, clear_all = 4;
    const std::uint64_t what = arguments[1], number = arguments[2];
    if (arguments[3] != 0 || arguments[4] != 0)
        return base::Failure{Errno::inval};
    if (what == clear_all) {
        if (number != 0)
            return base::Failure{Errno::inval};
        mine.ambient = 0;
        return 0;
    }
    if ((what != is_set && what != raise && what != lower) || number > capability::last)
        return base::Failure{Errno::inval};
    const CapabilitySet wanted = capability::bit(static_cast<unsigned>(number));
    if (what == is_set)
        return (mine.ambient & wanted) != 0 ? 1 : 0;
    if (what == lower) {
        mine.ambient &= ~wanted;
        return 0;
    }
    if ((mine.permitted & mine.inheritable & wanted) == 0 || mine.secured(secure::no_raise))
        return base::Failure{Errno::perm};
    mine.ambient |= wanted;
    return 0;
}

SyscallResult drop_from_bounding(Capabilities& mine, std::uint64_t number) {
    if (!mine.can(capability::set_capabilities))
        return base::Failure{Errno::perm};
    if (number > capability::last)
        return base::Failure{Errno::inval};
    mine.bounding &= ~capability::bit(static_cast<unsigned>(number));
    return 0;
}

// Notes of our own PID 1: nobody else can say how the container is.
SyscallResult tell(const Process& process, const Arguments& arguments) {
    constexpr std::array<std::string_view, 3> states{"starting", "healthy", "unhealthy"};
    const std::uint64_t first = arguments[2];
    base::Text<64> text;
    if (process.id != 1 || !first_process_tells)
        return base::Failure{Errno::inval};
    if (arguments[1] == CAISSON_TELL_HEALTH && first < states.size())
        text << "health=" << states[first];
    else if (arguments[1] == CAISSON_TELL_PROBE)
        text << "probe=" << first << ':' << arguments[3];
    else
        return base::Failure{Errno::inval};
    return audit(text.view()) ? SyscallResult{0} : SyscallResult{base::Failure{Errno::again}};
}

} // namespace

SyscallResult sys_prctl(const Arguments& arguments) {
    constexpr int set_death_signal = 1, get_death_signal = 2, get_dumpable = 3, set_dumpable = 4,
                  get_keep_caps = 7, set_keep_caps = 8, set_name = 15, get_name = 16,
                  capability_bound_read = 23, capability_bound_drop = 24, get_secure_bits = 27,
                  set_secure_bits = 28, capability_ambient = 47, set_timer_slack = 29, get_timer_slack = 30,
                  set_subreaper = 36, get_subreaper = 37, set_no_new_privileges = 38,
                  get_no_new_privileges = 39, get_seccomp = 21, set_seccomp = 22;
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
    case set_death_signal:
        if (arguments[1] > 64)
            return base::Failure{Errno::inval};
        process.death_signal = static_cast<int>(arguments[1]);
        return 0;
    case get_death_signal:
        CAISSON_TRY(mm::write_user(arguments.pointer(1), static_cast<std::int32_t>(process.death_signal)));
        return 0;
    case set_subreaper:
        process.child_subreaper = arguments[1] != 0;
        return 0;
    case get_subreaper:
        CAISSON_TRY(mm::write_user(arguments.pointer(1), std::int32_t{process.child_subreaper}));
        return 0;
    case get_dumpable:
        return process.dumpable ? 1 : 0;
    case set_dumpable:
        if (arguments[1] > 1)
            return base::Failure{Errno::inval};
        process.dumpable = arguments[1] != 0;
        return 0;
    case get_keep_caps:
        return process.capabilities().secured(secure::keep) ? 1 : 0;
    case set_keep_caps:
        if (arguments[1] > 1)
            return base::Failure{Errno::inval};
        if (process.capabilities().secured(secure::keep << 1))
            return base::Failure{Errno::perm};
        process.capabilities().secure_bits &= ~secure::keep;
        process.capabilities().secure_bits |= arguments[1] != 0 ? secure::keep : 0;
        return 0;
    case capability_bound_read:
        if (arguments[1] > capability::last)
            return base::Failure{Errno::inval};
        return (process.capabilities().bounding >> arguments[1]) & 1;
    case capability_bound_drop:
        return drop_from_bounding(process.capabilities(), arguments[1]);
    case get_secure_bits:
        return process.capabilities().secure_bits;
    case set_secure_bits:
        return process.capabilities().set_secure_bits(arguments[1])
                   ? SyscallResult{0}
                   : SyscallResult{base::Failure{Errno::perm}};
    case capability_ambient:
        return ambient_capabilities(process.capabilities(), arguments);
    case set_timer_slack:
        return 0;
    case get_timer_slack:
        return timer_slack_ns;
    case set_no_new_privileges:
        if (arguments[1] != 1 || arguments[2] != 0 || arguments[3] != 0 || arguments[4] != 0)
            return base::Failure{Errno::inval};
        process.no_new_privileges = true;
        return 0;
    case get_seccomp:
        return seccomp::mode();
    case set_seccomp:
        if (arguments[1] == 1)
            return seccomp::set_strict();
        return arguments[1] == 2 ? seccomp::set_filter(0, arguments.pointer(2))
                                 : SyscallResult{base::Failure{Errno::inval}};
    case get_no_new_privileges:
        return process.no_new_privileges ? 1 : 0;
    case CAISSON_PRCTL_TELL:
        return tell(process, arguments);
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
