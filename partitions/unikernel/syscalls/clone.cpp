// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/clone.cpp - clone(2), clone3(2), fork(2), vfork(2).
#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/process/fork.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"

#include <algorithm>

namespace uk {

namespace {

namespace clone_flag = process::clone_flag;

constexpr std::uint64_t exit_signal_mask = 0xFF;

struct CloneArguments { // struct clone_args
    std::uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_bytes, tls, set_tid,
        set_tid_count, cgroup;
};
constexpr std::uint64_t clone_arguments_least = 64;

SyscallResult run(const process::CloneRequest& request) {
    return static_cast<std::uint64_t>(CAISSON_TRY(process::clone(request)));
}

// What a caller built for a later kernel adds must be zero.
Status check_rest(mm::UserAddress start, std::uint64_t bytes) {
    for (std::uint64_t at = sizeof(CloneArguments); at < bytes; ++at)
        if (CAISSON_TRY(mm::read_user<std::uint8_t>(mm::UserAddress{start.value() + at})) != 0)
            return base::Failure{Errno::too_big};
    return base::success;
}

} // namespace

// The pidfd goes where the caller wants the thread's number otherwise.
SyscallResult sys_clone(const Arguments& arguments) {
    process::CloneRequest request;
    request.flags = arguments.word(0) & ~exit_signal_mask;
    request.exit_signal = static_cast<int>(arguments[0] & exit_signal_mask);
    request.stack = arguments[1];
    request.parent_tid = request.pidfd = arguments[2];
    request.child_tid = arguments[3];
    request.tls = arguments[4];
    if ((request.flags & clone_flag::pidfd) != 0 && (request.flags & clone_flag::parent_settid) != 0)
        return base::Failure{Errno::inval};
    return run(request);
}

SyscallResult sys_clone3(const Arguments& arguments) {
    constexpr std::uint64_t last_signal = 64, into_cgroup = 0x200000000, most_bytes = base::page_size;
    const std::uint64_t bytes = arguments[1];
    if (bytes > most_bytes)
        return base::Failure{Errno::too_big};
    if (bytes < clone_arguments_least)
        return base::Failure{Errno::inval};
    CloneArguments given{};
    CAISSON_TRY(mm::copy_in(&given, arguments.pointer(0), std::min<std::uint64_t>(bytes, sizeof(given))));
    CAISSON_TRY(check_rest(arguments.pointer(0), bytes));
    constexpr std::uint64_t known = 0xFFFFFFFF | clone_flag::clear_sighand | into_cgroup;
    if ((given.flags & ~known) != 0 || (given.flags & (exit_signal_mask & ~clone_flag::new_time)) != 0 ||
        (given.flags & clone_flag::detached) != 0 || given.exit_signal > last_signal ||
        (given.stack == 0) != (given.stack_bytes == 0) ||
        (given.set_tid == 0) != (given.set_tid_count == 0) ||
        ((given.flags & (clone_flag::thread | clone_flag::parent)) != 0 && given.exit_signal != 0))
        return base::Failure{Errno::inval};
    if (given.set_tid != 0 || (given.flags & clone_flag::new_time) != 0)
        return base::Failure{Errno::perm}; // need capabilities that a container has not
    if ((given.flags & into_cgroup) != 0)
        return base::Failure{Errno::badf}; // nothing that could be opened is one
    process::CloneRequest request;
    request.flags = given.flags;
    request.exit_signal = static_cast<int>(given.exit_signal);
    request.stack = given.stack + given.stack_bytes;
    request.parent_tid = given.parent_tid;
    request.child_tid = given.child_tid;
    request.pidfd = given.pidfd;
    request.tls = given.tls;
    return run(request);
}

SyscallResult sys_fork(const Arguments&) {
    process::CloneRequest request;
    request.exit_signal = signal::child;
    return run(request);
}

SyscallResult sys_vfork(const Arguments&) {
    process::CloneRequest request;
    request.flags = clone_flag::vfork | clone_flag::vm;
    request.exit_signal = signal::child;
    return run(request);
}

} // namespace uk
