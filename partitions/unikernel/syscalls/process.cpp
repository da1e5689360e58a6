// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/process.cpp - numbers of processes, groups and sessions, descriptors of processes.
// Spec: POSIX.1-2017 setpgid(), setsid(); pidfd_open(2).
#include "partitions/unikernel/process/pidfd.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"

namespace uk {

namespace {

// A process by its number, 0 for the current one. srch.
Result<Process*> named(int id) {
    Process* process = id == 0 ? &current_process() : find_process(id);
    if (process == nullptr)
        return base::Failure{Errno::srch};
    return process;
}

// The group that `process` may enter: its own new one, or one of its session.
Result<Ref<Pid>> group_for(const Process& process, int id) {
    if (id == process.id)
        return process.pid;
    for (const Process* member = process_list(); member != nullptr; member = member->next)
        if (member->group->id == id && member->session == current_process().session)
            return member->group;
    return base::Failure{Errno::perm};
}

} // namespace

SyscallResult sys_getpid(const Arguments&) {
    return static_cast<std::uint64_t>(current_process().id);
}
SyscallResult sys_getppid(const Arguments&) {
    return static_cast<std::uint64_t>(current_process().parent_id());
}
SyscallResult sys_getpgrp(const Arguments&) {
    return static_cast<std::uint64_t>(current_process().group->id);
}
SyscallResult sys_getpgid(const Arguments& arguments) {
    return static_cast<std::uint64_t>(CAISSON_TRY(named(arguments.integer(0)))->group->id);
}
SyscallResult sys_getsid(const Arguments& arguments) {
    return static_cast<std::uint64_t>(CAISSON_TRY(named(arguments.integer(0)))->session->id);
}

SyscallResult sys_setpgid(const Arguments& arguments) {
    const int wanted = arguments.integer(1);
    if (wanted < 0)
        return base::Failure{Errno::inval};
    Process& self = current_process();
    Process& process = *CAISSON_TRY(named(arguments.integer(0)));
    if (process.parent == &self) {
        if (process.session != self.session)
            return base::Failure{Errno::perm};
        if (process.executed)
            return base::Failure{Errno::acces};
    } else if (&process != &self) {
        return base::Failure{Errno::srch};
    }
    if (process.session == process.pid) // it leads its session
        return base::Failure{Errno::perm};
    process.group = CAISSON_TRY(group_for(process, wanted == 0 ? process.id : wanted));
    return 0;
}

SyscallResult sys_setsid(const Arguments&) {
    Process& self = current_process();
    for (const Process* member = process_list(); member != nullptr; member = member->next)
        if (member->group == self.pid)
            return base::Failure{Errno::perm};
    self.group = self.session = self.pid;
    return static_cast<std::uint64_t>(self.id);
}

SyscallResult sys_pidfd_open(const Arguments& arguments) {
    const std::uint32_t flags = arguments.word(1);
    if ((flags & ~fs::open_flag::non_block) != 0 || arguments.integer(0) <= 0)
        return base::Failure{Errno::inval};
    Pid* pid = pid_table().find(arguments.integer(0));
    if (pid == nullptr || (pid->process == nullptr && pid->thread == nullptr))
        return base::Failure{Errno::srch};
    if (pid->process == nullptr)
        return base::Failure{Errno::inval}; // a thread
    auto file = CAISSON_TRY(process::make_pidfd(*pid, flags));
    return static_cast<std::uint64_t>(CAISSON_TRY(current_process().files->add(std::move(file), true)));
}

} // namespace uk
