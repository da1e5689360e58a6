// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/signal_task.hpp - what a thread and its process keep of signals. The rules on it: signal/rules.hpp.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/base/wait_queue.hpp"
#include "partitions/unikernel/mm/heap.hpp"
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
    bool restart_due = false; // signal/restartable.hpp
    Set awaited = 0;          // sigtimedwait: taken although blocked
    Pending pending;
    AlternateStack alternate_stack;
    Restart restart;
    LastFault last_fault;

    // What is let through now.
    [[nodiscard]] Set accepted() const { return ~blocked | awaited; }
};

// What each signal does: shared by the threads of a process, and by processes that clone(2) made so (CLONE_SIGHAND).
struct ActionTable {
    Actions actions{};
    std::uint32_t references = 0;
};
inline void retain(ActionTable& table) {
    ++table.references;
}
inline void release(ActionTable& table) {
    if (--table.references == 0)
        mm::destroy(&table);
}

struct GroupState {
    Ref<ActionTable> actions; // a process that has not ended has one
    Pending pending;          // for the process
    Account account;
    WaitQueue signal_readers; // files of signalfd(2)
    // PID 1: what it has not asked for it does not get, SIGKILL and SIGSTOP included; a fault of its own clears this.
    bool unkillable = false;

    [[nodiscard]] Action& action(int number) const {
        return actions->actions[static_cast<unsigned>(number - 1)];
    }
};

} // namespace uk::signal
