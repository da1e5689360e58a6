// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/rules.cpp - see rules.hpp.
#include "partitions/unikernel/signal/rules.hpp"

#include <utility>

namespace uk::signal {

namespace {

constexpr std::uint64_t system_call_bytes = 2; // SYSCALL, run again by going back over it
constexpr std::uint64_t restart_syscall_number = 219;

std::uint64_t returned(Errno error) {
    return std::uint64_t{0} - static_cast<std::uint64_t>(error);
}

bool returns(const TrapFrame& frame, Errno error) {
    return frame.vector == system_call_vector && frame.rax == returned(error);
}

void make_again(TrapFrame& frame, std::uint64_t number) {
    frame.rax = number;
    frame.rip -= system_call_bytes;
}

} // namespace

Default default_of(int number) {
    switch (number) {
    case child:
    case cont:
    case urg:
    case winch:
        return Default::nothing;
    case stop:
    case tstp:
    case ttin:
    case ttou:
        return Default::hold;
    default:
        return Default::terminate;
    }
}

bool is_ignored(const GroupState& group, int number) {
    const Action& action = group.action(number);
    return action.handler == handler_ignore || (action.handler == handler_default &&
                                                (group.unkillable || default_of(number) == Default::nothing));
}

bool is_discarded(const GroupState& group, const TaskState& task, int number) {
    return (task.blocked & bit(number)) == 0 && is_ignored(group, number);
}

Information take(TaskState& task, GroupState& group, Set wanted) {
    const Information own = task.pending.take(wanted, group.account);
    return own.number != 0 ? own : group.pending.take(wanted, group.account);
}

Step next_step(TaskState& task, GroupState& group) {
    const Information information = take(task, group, ~task.blocked);
    if (information.number == 0)
        return {};
    Action& slot = group.action(information.number);
    const Action action = slot;
    if (action.handler == handler_ignore)
        return {Act::next, information, action};
    if (action.handler != handler_default) {
        if ((action.flags & action_flag::reset_hand) != 0)
            slot.handler = handler_default;
        return {Act::handler, information, action};
    }
    if (group.unkillable)
        return {Act::next, information, action};
    switch (default_of(information.number)) {
    case Default::terminate:
        return {Act::terminate, information, action};
    case Default::hold:
        return {Act::hold, information, action};
    case Default::nothing:
        break;
    }
    return {Act::next, information, action};
}

void force(TaskState& task, GroupState& group, const Information& information) {
    const Set one = bit(information.number);
    Action& action = group.action(information.number);
    if ((task.blocked & one) != 0 || action.handler == handler_ignore)
        action.handler = handler_default;
    if (action.handler == handler_default)
        group.unkillable = false;
    task.blocked &= ~one;
    // One that somebody sent and that still waits would be taken in its place.
    task.pending.flush(one, group.account);
    (void)task.pending.enter(information, group.account);
}

Set mask_of_handler(const TaskState& task, const Action& action, int number) {
    Set blocked = task.blocked | action.mask;
    if ((action.flags & action_flag::no_defer) == 0)
        blocked |= bit(number);
    return blocked & ~unblockable;
}

Set take_mask_to_restore(TaskState& task) {
    return std::exchange(task.restore_blocked, false) ? task.saved_blocked : task.blocked;
}

bool is_interruption(const TrapFrame& frame) {
    return returns(frame, Errno::restart_sys) || returns(frame, Errno::restart_without_handler) ||
           returns(frame, Errno::restart_block);
}

void settle_for_handler(TrapFrame& frame, TaskState& task, std::uint64_t action_flags) {
    if (was_interrupted(frame)) {
        if (returns(frame, Errno::restart_sys) && (action_flags & action_flag::restart) != 0)
            make_again(frame, frame.error);
        else
            frame.rax = returned(Errno::intr);
    }
    frame.vector = 0; // settled
    task.restart.function = nullptr;
}

void settle_without_handler(TrapFrame& frame) {
    if (was_interrupted(frame))
        make_again(frame, returns(frame, Errno::restart_block) ? restart_syscall_number : frame.error);
    frame.vector = 0;
}

} // namespace uk::signal
