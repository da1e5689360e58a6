// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/signal_task.hpp - what a thread and its process keep of signals. The rules on it: signal/rules.hpp.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/task/pending.hpp"
#include "partitions/unikernel/task/signal_state.hpp"

namespace uk::signal {

// How restart_syscall(2) goes on with a call whose time-out was relative: the call itself, with the point in time it was for.
struct Restart {
    using Function = SyscallResult (*)(const Restart& self);
    Function function = nullptr; // nullptr: nothing to go on with
    std::uint64_t deadline = 0;
    std::array<std::uint64_t, 4> values{}; // the function's own
};

struct TaskState {
    Set blocked = 0;
    Set saved_blocked = 0; // rt_sigsuspend, ppoll: restored when the call ends
    bool restore_blocked = false;
    Set awaited = 0; // sigtimedwait: taken although blocked
    Pending pending;
    AlternateStack alternate_stack;
    Restart restart;
    LastFault last_fault;

    // What is let through now.
    [[nodiscard]] Set accepted() const { return ~blocked | awaited; }
};

struct GroupState {
    Actions actions{};
    Pending pending; // for the process
    Account account;

    [[nodiscard]] Action& action(int number) { return actions[static_cast<unsigned>(number - 1)]; }
    [[nodiscard]] const Action& action(int number) const {
        return actions[static_cast<unsigned>(number - 1)];
    }
};

} // namespace uk::signal
