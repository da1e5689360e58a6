// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/rules.hpp - what a signal does, by the state of its thread and process alone.
//
// Pure: who is chosen, what is ignored, what happens next and how an interrupted system call ends are decided here; waking,
// copying and ending are signals.cpp's and deliver.cpp's.
#pragma once

#include "partitions/unikernel/machine/trap_frame.hpp"
#include "partitions/unikernel/task/signal_task.hpp"

namespace uk::signal {

enum class Default { terminate, nothing, hold };
[[nodiscard]] Default default_of(int number);
[[nodiscard]] bool is_ignored(const GroupState& group, int number);

// A signal that is sent now is thrown away: ignored, and not blocked by the thread it is for.
[[nodiscard]] bool is_discarded(const GroupState& group, const TaskState& task, int number);

// The next signal to act on, taken: the thread's own before its process's. Number 0: none.
[[nodiscard]] Information take(TaskState& task, GroupState& group, Set wanted);

enum class Act { nothing, next, handler, terminate, hold }; // next: this one is done with, look again
struct Step {
    Act act = Act::nothing;
    Information information;
    Action action;
};
// Takes one signal and says what it does. A handler's slot is reset when it asks for that.
[[nodiscard]] Step next_step(TaskState& task, GroupState& group);

// A fault of the thread's own: not blocked and not ignored, for it would happen again at once.
void force(TaskState& task, GroupState& group, const Information& information);

// A new action. Signals that wait and are ignored from now on go, in the process and, through `each`, in every thread.
template <typename EachTask>
void change_action(GroupState& group, int number, const Action& action, EachTask each) {
    group.action(number) = action;
    if (!is_ignored(group, number))
        return;
    group.pending.flush(bit(number), group.account);
    each([&](TaskState& task) { task.pending.flush(bit(number), group.account); });
}

// The mask while a handler runs.
[[nodiscard]] Set mask_of_handler(const TaskState& task, const Action& action, int number);
// The mask that its return restores; the call that set another for its time has ended.
[[nodiscard]] Set take_mask_to_restore(TaskState& task);

// A system call that a signal interrupted, in `frame`: what it was. Asked on every way out, so most are told by their result alone.
[[nodiscard]] bool is_interruption(const TrapFrame& frame);
[[nodiscard]] inline bool was_interrupted(const TrapFrame& frame) {
    constexpr auto first = static_cast<std::uint64_t>(Errno::restart_sys),
                   last = static_cast<std::uint64_t>(Errno::restart_block);
    return frame.rax + last <= last - first && is_interruption(frame);
}
// It ends with EINTR, or is made again after the handler if it and the action allow.
void settle_for_handler(TrapFrame& frame, TaskState& task, std::uint64_t action_flags);
// No handler runs: it is made again, or goes on by restart_syscall(2).
void settle_without_handler(TrapFrame& frame);

// The program's next instruction is at an address that it can have: IRETQ with another faults in the kernel.
[[nodiscard]] constexpr bool can_return_to(std::uint64_t rip) {
    return rip < std::uint64_t{1} << 47;
}

} // namespace uk::signal
