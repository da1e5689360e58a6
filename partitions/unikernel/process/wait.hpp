// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/wait.hpp - what became of a child: the choice behind wait4(2) and waitid(2).
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::process {

namespace wait_option {
inline constexpr std::uint32_t no_hang = 1, stopped = 2, exited = 4, continued = 8, no_wait = 0x01000000,
                               no_thread = 0x20000000, all = 0x40000000, clone = 0x80000000;
} // namespace wait_option

struct WaitRequest {
    enum class Whom : std::uint8_t { any, one, group } whom = Whom::any;
    int id = 0;
    std::uint32_t options = wait_option::exited;
    bool non_blocking_descriptor = false; // P_PIDFD: EAGAIN where it would wait
};

struct WaitResult {
    int id = 0;     // 0: with no_hang, nothing to tell yet
    int code = 0;   // si_code: signal::code::child_...
    int status = 0; // as wait4 gives it; for waitid an exit code or a signal
    std::uint32_t user = 0;
    std::uint64_t cpu_ns = 0;       // with the children it waited for itself
    std::uint64_t resident_max = 0; // pages
};

// What there is to tell of one of the children, taken unless asked to leave it. Nothing: not yet. child: there is none.
[[nodiscard]] Result<WaitResult> look(Process& parent, const WaitRequest& request);
// The same, waiting for it. restart_sys: a signal came first.
[[nodiscard]] Result<WaitResult> wait(const WaitRequest& request);

} // namespace uk::process
