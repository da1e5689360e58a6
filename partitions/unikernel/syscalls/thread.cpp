// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/thread.cpp - what belongs to a single thread, and the ends.
#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/signal/restartable.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk {

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
    const int id = arguments.integer(0);
    const Thread* found = id == 0 ? &current() : find_thread(id);
    if (found == nullptr)
        return base::Failure{Errno::srch};
    if (found->process != &current_process() &&
        !current_process().context.credentials.may_trace(found->process->context.credentials, true))
        return base::Failure{Errno::perm};
    CAISSON_TRY(mm::write_user(arguments.pointer(1), found->robust_list));
    CAISSON_TRY(mm::write_user(arguments.pointer(2), head_bytes));
    return 0;
}

SyscallResult sys_rseq(const Arguments& arguments) {
    CAISSON_TRY(
        signal::register_restartable(arguments[0], arguments.word(1), arguments.word(2), arguments.word(3)));
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
SyscallResult sys_getcpu(const Arguments& arguments) {
    if (arguments[0] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(0), machine::this_cpu().number));
    if (arguments[1] != 0)
        CAISSON_TRY(mm::write_user(arguments.pointer(1), std::uint32_t{0}));
    return 0;
}

} // namespace uk
