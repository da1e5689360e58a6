// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/signals.cpp - pending signals: sending, choosing, masking. See signals.hpp.
#include "partitions/unikernel/signal/signals.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"

#include <bit>

namespace uk::signal {

namespace {

bool ignored_by_default(int number) {
    return number == child || number == cont || number == urg || number == winch;
}

bool is_ignored(const Process& process, int number) {
    const Action& action = process.actions[static_cast<unsigned>(number - 1)];
    return action.handler == handler_ignore ||
           (action.handler == handler_default && ignored_by_default(number));
}

void enter(Pending& pending, const Information& information) {
    const auto index = static_cast<unsigned>(information.number - 1);
    if ((pending.set & bit(information.number)) != 0)
        return; // one of each
    if (pending.information == nullptr) {
        pending.information = static_cast<Information*>(mm::allocate(sizeof(Information) * count));
        if (pending.information != nullptr)
            for (unsigned i = 0; i < count; ++i)
                std::construct_at(pending.information + i);
    }
    pending.set |= bit(information.number);
    if (pending.information != nullptr)
        pending.information[index] = information;
}

Information take_from(Pending& pending, Set wanted) {
    Set set = pending.set & wanted;
    if (set == 0)
        return {};
    if ((set & synchronous) != 0)
        set &= synchronous;
    const int number = std::countr_zero(set) + 1;
    pending.set &= ~bit(number);
    if (pending.information != nullptr)
        return pending.information[number - 1];
    Information information; // no memory for more
    information.number = number;
    return information;
}

bool may_take(const Thread& thread, int number) {
    return thread.state != ThreadState::dead && ((thread.blocked & ~thread.awaited) & bit(number)) == 0;
}

} // namespace

void send_to_process(Process& process, const Information& information) {
    Thread* chosen = nullptr;
    bool blocked_everywhere = true;
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process) {
        if (!may_take(*thread, information.number))
            continue;
        blocked_everywhere = false;
        if (chosen == nullptr || thread == &current())
            chosen = thread;
    }
    if (is_ignored(process, information.number) && !blocked_everywhere)
        return;
    enter(process.pending, information);
    if (chosen != nullptr)
        sched::interrupt_sleep(*chosen);
}

void send_to_thread(Thread& thread, const Information& information) {
    if (is_ignored(*thread.process, information.number) && may_take(thread, information.number) &&
        (thread.awaited & bit(information.number)) == 0)
        return;
    enter(thread.pending, information);
    if (may_take(thread, information.number))
        sched::interrupt_sleep(thread);
}

void force_fault(const Information& information) {
    Thread& thread = current();
    Action& action = thread.process->actions[static_cast<unsigned>(information.number - 1)];
    if ((thread.blocked & bit(information.number)) != 0 || action.handler == handler_ignore)
        action = {}; // by default: it would fault again at once
    thread.blocked &= ~bit(information.number);
    enter(thread.pending, information);
}

Information take(Thread& thread, Set wanted) {
    const Information own = take_from(thread.pending, wanted);
    return own.number != 0 ? own : take_from(thread.process->pending, wanted);
}

void set_blocked(Thread& thread, Set blocked) {
    thread.blocked = blocked & ~unblockable;
}

void reset_for_exec(Thread& thread) {
    for (Action& action : thread.process->actions)
        action = Action{action.handler == handler_ignore ? handler_ignore : handler_default, 0, 0, 0};
    thread.alternate_stack = {};
    thread.restore_blocked = false;
}

} // namespace uk::signal
