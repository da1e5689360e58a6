// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/thread.cpp - threads: clone, exit and what belongs to a single thread or
// process.
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>
#include <cstring>

namespace uk {

namespace {

namespace clone_flag {
constexpr std::uint64_t vm = 0x100, fs = 0x200, files = 0x400, sighand = 0x800, ptrace = 0x2000,
                        thread = 0x10000, new_mounts = 0x20000, sysvsem = 0x40000, settls = 0x80000,
                        parent_settid = 0x100000, child_cleartid = 0x200000, detached = 0x400000,
                        untraced = 0x800000, child_settid = 0x1000000, io = 0x80000000, exit_signal = 0xFF;
// A thread shares all of these.
constexpr std::uint64_t of_thread = vm | fs | files | sighand | thread;
constexpr std::uint64_t understood = of_thread | sysvsem | settls | parent_settid | child_cleartid |
                                     child_settid | detached | untraced | io | ptrace;
} // namespace clone_flag

struct CloneRequest {
    std::uint64_t flags, stack, parent_tid, child_tid, tls;
};

struct CloneArguments { // struct clone_args
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls, set_tid,
        set_tid_bytes, cgroup;
};
constexpr std::uint64_t clone_arguments_least = 64;

SyscallResult refuse_process() {
    static bool logged = false;
    if (!logged)
        log("clone, fork or vfork of a process is not there: ENOSYS");
    logged = true;
    return base::Failure{Errno::nosys};
}

SyscallResult clone_thread(const CloneRequest& request) {
    const auto only_with = [&request](std::uint64_t flag, std::uint64_t needed) {
        return (request.flags & flag) == 0 || (request.flags & needed) != 0;
    };
    if (!only_with(clone_flag::thread, clone_flag::sighand) ||
        !only_with(clone_flag::sighand, clone_flag::vm) ||
        ((request.flags & clone_flag::new_mounts) != 0 && (request.flags & clone_flag::fs) != 0))
        return base::Failure{Errno::inval};
    if ((request.flags & clone_flag::thread) == 0)
        return refuse_process();
    if ((request.flags & clone_flag::of_thread) != clone_flag::of_thread ||
        (request.flags & ~clone_flag::exit_signal & ~clone_flag::understood) != 0)
        return base::Failure{Errno::inval};
    if ((request.flags & clone_flag::settls) != 0 && request.tls >= mm::user_end)
        return base::Failure{Errno::perm};
    Thread& parent = current();
    Process& process = *parent.process;
    if (process.thread_count >= process.limits[static_cast<unsigned>(Resource::processes)].soft)
        return base::Failure{Errno::again};
    Thread* thread = sched::make_thread(process);
    if (thread == nullptr)
        return base::Failure{Errno::again};
    thread->id = process.next_thread_id + 1;
    const auto id = static_cast<std::int32_t>(thread->id);
    if ((request.flags & clone_flag::parent_settid) != 0)
        if (const Status written = mm::write_user(mm::UserAddress{request.parent_tid}, id); !written.ok()) {
            sched::discard_thread(*thread);
            return base::Failure{written.error()};
        }
    if ((request.flags & clone_flag::child_settid) != 0)
        (void)mm::write_user(mm::UserAddress{request.child_tid},
                             id); // as on Linux, a bad address is not an error
    process.next_thread_id = thread->id;

    thread->frame() = parent.frame();
    thread->frame().rax = 0;
    if (request.stack != 0)
        thread->frame().rsp = request.stack;
    thread->fs_base = (request.flags & clone_flag::settls) != 0 ? request.tls : parent.fs_base;
    thread->gs_base = parent.gs_base;
    machine::save_vectors(thread->vector_state); // the parent's: its registers are live now
    thread->blocked = parent.blocked;
    thread->name = parent.name;
    thread->nice = parent.nice;
    thread->io_priority = parent.io_priority;
    if ((request.flags & clone_flag::child_cleartid) != 0)
        thread->clear_child_tid = request.child_tid;
    thread->next_in_process = parent.next_in_process;
    parent.next_in_process = thread;
    ++process.thread_count;
    sched::make_runnable(*thread);
    return static_cast<std::uint64_t>(id);
}

} // namespace

SyscallResult sys_clone(const Arguments& arguments) {
    return clone_thread({arguments[0], arguments[1], arguments[2], arguments[3], arguments[4]});
}

SyscallResult sys_clone3(const Arguments& arguments) {
    if (arguments[1] < clone_arguments_least)
        return base::Failure{Errno::inval};
    CloneArguments request{};
    CAISSON_TRY(
        mm::copy_in(&request, arguments.pointer(0), std::min<std::uint64_t>(arguments[1], sizeof(request))));
    for (std::uint64_t at = sizeof(request); at < arguments[1]; ++at) { // what we do not know must be zero
        if (at >= base::page_size)
            return base::Failure{Errno::too_big};
        if (CAISSON_TRY(mm::read_user<std::uint8_t>(mm::UserAddress{arguments[0] + at})) != 0)
            return base::Failure{Errno::too_big};
    }
    if ((request.flags & clone_flag::exit_signal) != 0 || request.exit_signal > 64 ||
        (request.stack == 0) != (request.stack_bytes == 0) || request.set_tid != 0 ||
        request.set_tid_bytes != 0 || ((request.flags & clone_flag::thread) != 0 && request.exit_signal != 0))
        return base::Failure{Errno::inval};
    return clone_thread({request.flags, request.stack + request.stack_bytes, request.parent_tid,
                         request.child_tid, request.tls});
}

SyscallResult sys_set_tid_address(const Arguments& arguments) {
    current().clear_child_tid = arguments[0];
    return static_cast<std::uint64_t>(current().id);
}

SyscallResult sys_set_robust_list(const Arguments& arguments) {
    constexpr std::uint64_t head_bytes = 24;
    if (arguments[1] != head_bytes)
        return base::Failure{Errno::inval};
    current().robust_list = arguments[0];
    return 0;
}

SyscallResult sys_get_robust_list(const Arguments& arguments) {
    constexpr std::uint64_t head_bytes = 24;
    const Thread* found = nullptr;
    for (const Thread* thread = current_process().threads; thread != nullptr;
         thread = thread->next_in_process)
        if (thread->id == arguments.integer(0) || (arguments.integer(0) == 0 && thread == &current()))
            found = thread;
    if (found == nullptr)
        return base::Failure{Errno::srch};
    CAISSON_TRY(mm::write_user(arguments.pointer(1), found->robust_list));
    CAISSON_TRY(mm::write_user(arguments.pointer(2), head_bytes));
    return 0;
}

SyscallResult sys_exit(const Arguments& arguments) {
    process::end_thread(arguments.integer(0));
}
SyscallResult sys_exit_group(const Arguments& arguments) {
    process::end_process(arguments.integer(0));
}

SyscallResult sys_gettid(const Arguments&) {
    return static_cast<std::uint64_t>(current().id);
}
SyscallResult sys_getpid(const Arguments&) {
    return static_cast<std::uint64_t>(current_process().id);
}
SyscallResult sys_getppid(const Arguments&) {
    return static_cast<std::uint64_t>(current_process().parent);
}
SyscallResult sys_getpgrp(const Arguments&) {
    return static_cast<std::uint64_t>(current_process().group);
}

SyscallResult sys_getpgid(const Arguments& arguments) {
    if (arguments.integer(0) != 0 && arguments.integer(0) != current_process().id)
        return base::Failure{Errno::srch};
    return static_cast<std::uint64_t>(current_process().group);
}

SyscallResult sys_getsid(const Arguments& arguments) {
    if (arguments.integer(0) != 0 && arguments.integer(0) != current_process().id)
        return base::Failure{Errno::srch};
    return static_cast<std::uint64_t>(current_process().session);
}

SyscallResult sys_setpgid(const Arguments& arguments) {
    const Process& process = current_process();
    const int who = arguments.integer(0), group = arguments.integer(1);
    if (group < 0)
        return base::Failure{Errno::inval};
    if (who != 0 && who != process.id)
        return base::Failure{Errno::srch};
    return base::Failure{Errno::perm}; // a session leader keeps its group
}

SyscallResult sys_setsid(const Arguments&) {
    return base::Failure{Errno::perm};
} // it leads its group already

SyscallResult sys_getcpu(const Arguments& arguments) {
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), std::uint32_t{0}));
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), std::uint32_t{0}));
    return 0;
}

} // namespace uk
