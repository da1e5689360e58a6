// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/fork.hpp - new threads and processes.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::process {

namespace clone_flag {
inline constexpr std::uint64_t new_time = 0x80, vm = 0x100, fs = 0x200, files = 0x400, sighand = 0x800,
                               pidfd = 0x1000, ptrace = 0x2000, vfork = 0x4000, parent = 0x8000,
                               thread = 0x10000, new_mounts = 0x20000, sysvsem = 0x40000, settls = 0x80000,
                               parent_settid = 0x100000, child_cleartid = 0x200000, detached = 0x400000,
                               untraced = 0x800000, child_settid = 0x1000000, new_cgroup = 0x2000000,
                               new_names = 0x4000000, new_ipc = 0x8000000, new_users = 0x10000000,
                               new_pids = 0x20000000, new_net = 0x40000000, io = 0x80000000,
                               clear_sighand = 0x100000000;
inline constexpr std::uint64_t namespaces =
    new_mounts | new_cgroup | new_names | new_ipc | new_users | new_pids | new_net;
} // namespace clone_flag

struct CloneRequest {
    std::uint64_t flags = 0; // without the exit signal
    int exit_signal = 0;
    std::uint64_t stack = 0; // where the new thread's begins; 0: where the caller's is
    std::uint64_t parent_tid = 0, child_tid = 0, pidfd = 0; // user addresses
    std::uint64_t tls = 0;
};

// The number of the new thread or process. With `vfork` the caller goes on when the child has a program of its own or has ended.
// Errors: inval (flags that do not go together), perm (namespaces), again (a limit), nomem, fault, mfile.
[[nodiscard]] Result<int> clone(const CloneRequest& request);

// The most processes and threads that there may be: by the partition's memory (start/container.cpp).
void set_task_limit(unsigned most);
[[nodiscard]] unsigned task_limit();

} // namespace uk::process
