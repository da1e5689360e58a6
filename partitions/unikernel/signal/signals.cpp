// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/signals.cpp - pending signals: sending, choosing, masking. See signals.hpp.
#include "partitions/unikernel/signal/signals.hpp"

#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/interval_timer.hpp"
#include "partitions/unikernel/signal/rules.hpp"

namespace uk::signal {

namespace {

bool may_take(const Thread& thread, int number) {
    return thread.state != ThreadState::dead && (thread.accepted() & bit(number)) != 0;
}

// The limit may have changed since the last signal.
Account& account_of(Process& process) {
    process.account.limit = process.limits[static_cast<unsigned>(Resource::pending_signals)].soft;
    return process.account;
}

// Who sees a signal to the process: the current thread if it may, else the first that may.
Thread* choose(Process& process, int number) {
    Thread* chosen = nullptr;
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        if (may_take(*thread, number) && (chosen == nullptr || thread == &current()))
            chosen = thread;
    return chosen;
}

void flush_everywhere(Process& process, Set which) {
    process.pending.flush(which, process.account);
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        thread->pending.flush(which, process.account);
}

// What a signal does at once, whether it is blocked, ignored or not. False: there is nothing more to do.
bool prepare(Process& process, int number) {
    if (process.exiting || process.is_zombie())
        return false;
    if ((bit(number) & stops) != 0) {
        flush_everywhere(process, bit(cont));
    } else if (number == cont) {
        flush_everywhere(process, stops);
        continue_process(process);
    } else if (number == kill && !process.unkillable) {
        begin_end(process, kill);
        return false;
    }
    return true;
}

} // namespace

void begin_end(Process& process, int status) {
    if (process.exiting)
        return;
    process.exiting = true;
    process.exit_status = status;
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process) {
        thread->ending = true;
        sched::interrupt_sleep(*thread);
    }
}

Status send_to_process(Process& process, const Information& information) {
    if (!prepare(process, information.number))
        return base::success;
    Thread* chosen = choose(process, information.number);
    // As on Linux, what the first thread blocks waits, for it may be let through before it is ignored no more.
    if (chosen != nullptr && is_discarded(process, *chosen, information.number))
        return base::success;
    CAISSON_TRY(process.pending.enter(information, account_of(process)));
    process.signal_readers.wake_all();
    if (chosen != nullptr)
        sched::interrupt_sleep(*chosen);
    return base::success;
}

Status send_to_thread(Thread& thread, const Information& information) {
    if (!prepare(*thread.process, information.number))
        return base::success;
    if (is_discarded(*thread.process, thread, information.number))
        return base::success;
    CAISSON_TRY(thread.pending.enter(information, account_of(*thread.process)));
    thread.process->signal_readers.wake_all();
    if (may_take(thread, information.number))
        sched::interrupt_sleep(thread);
    return base::success;
}

bool send_own(Process& process, Thread* thread, Waiting& own) {
    const int number = own.information.number;
    if (!prepare(process, number))
        return false;
    Thread* chosen = thread != nullptr ? thread : choose(process, number);
    if (chosen != nullptr && is_discarded(process, *chosen, number))
        return false;
    if (!(thread != nullptr ? thread->pending : process.pending).enter(own))
        return true;
    process.signal_readers.wake_all();
    if (chosen != nullptr && may_take(*chosen, number))
        sched::interrupt_sleep(*chosen);
    return true;
}

void withdraw(Process& process, Waiting& own) {
    process.pending.remove(own);
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        thread->pending.remove(own);
}

void set_action(Process& process, int number, const Action& action) {
    change_action(process, number, action, [&process](auto flush) {
        for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
            flush(*thread);
    });
}

void force_fault(const Information& information) {
    force(current(), current_process(), information);
}

void set_blocked(Thread& thread, Set blocked) {
    thread.blocked = blocked & ~unblockable;
}

void reset_for_exec(Thread& thread) {
    for (Action& action : thread.process->actions->actions)
        action = Action{action.handler == handler_ignore ? handler_ignore : handler_default, 0, 0, 0};
    thread.alternate_stack = {};
    thread.restore_blocked = false;
    thread.restart.function = nullptr;
    drop_posix_timers(*thread.process);
}

} // namespace uk::signal
