// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/seccomp.hpp - the door of a thread that has filters.
#pragma once

#include "partitions/unikernel/machine/trap_frame.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"

#include <cstddef>
#include <span>

namespace uk {
struct Thread;
}

namespace uk::seccomp {

// A call that the current thread's filters do not allow as such: what they say of it is done.
[[nodiscard]] SyscallResult decide(TrapFrame& frame, std::uint64_t number, const Arguments& arguments);

// prctl(2): PR_SET_SECCOMP, PR_GET_SECCOMP.
[[nodiscard]] SyscallResult set_strict();
[[nodiscard]] SyscallResult set_filter(std::uint32_t flags, mm::UserAddress program);
[[nodiscard]] SyscallResult mode();

// The partition's own policy, for the first thread and so for everybody: what it denies is audited. `records`: it denies nothing,
// SECCOMP_RET_LOG is recorded (policy/recorder.hpp). A program that is none ends the partition.
void start_policy(Thread& thread, std::span<const std::byte> program, bool records);

} // namespace uk::seccomp
