// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/exit.cpp - see exit.hpp.
// Spec: Linux Documentation/locking/robust-futex-ABI (layout of the list of robust mutexes).
#include "partitions/unikernel/process/exit.hpp"
#include "partitions/unikernel/policy/recorder.hpp"

#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/fs/files/pty.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/process/ipc.hpp"
#include "partitions/unikernel/sched/futex.hpp"
#include "partitions/unikernel/sched/pi_futex.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/interval_timer.hpp"
#include "partitions/unikernel/signal/signals.hpp"

#include <algorithm>
#include <utility>

namespace uk::process {

namespace {

constexpr unsigned robust_list_max = 2048;
constexpr std::uint32_t owner_died = 0x40000000, waiters = 0x80000000, owner_mask = 0x3FFFFFFF;
constexpr std::uint64_t priority_inheritance = 1; // low bit of an entry's address

struct RobustHead {
    std::uint64_t first;
    std::int64_t word_offset;
    std::uint64_t pending;
};

void release_mutex(std::uint64_t entry, std::int64_t offset, int owner) {
    const bool inherits =
        (entry & priority_inheritance) != 0; // handed over by pi_owner_ends where others wait
    const std::uint64_t at = (entry & ~priority_inheritance) + static_cast<std::uint64_t>(offset);
    if (at >= mm::user_end - 4 || at % 4 != 0)
        return;
    const mm::UserAddress word{at};
    const auto value = mm::read_user<std::uint32_t>(word);
    if (!value.ok() || (*value & owner_mask) != static_cast<std::uint32_t>(owner))
        return;
    std::uint32_t seen = 0;
    if (user_compare_exchange(reinterpret_cast<std::uint32_t*>(at), *value, (*value & waiters) | owner_died,
                              &seen) != 0 ||
        seen != *value)
        return;
    if ((*value & waiters) != 0 && !inherits)
        (void)sched::futex_wake({word}, 1, sched::match_any);
}

// Bounded, because the list is the program's.
void walk_robust_list(const Thread& thread) {
    if (thread.robust_list == 0)
        return;
    const auto head = mm::read_user<RobustHead>(mm::UserAddress{thread.robust_list});
    if (!head.ok())
        return;
    std::uint64_t entry = head->first;
    for (unsigned i = 0; i < robust_list_max && (entry & ~priority_inheritance) != thread.robust_list; ++i) {
        const auto next = mm::read_user<std::uint64_t>(mm::UserAddress{entry & ~priority_inheritance});
        if (entry != head->pending)
            release_mutex(entry, head->word_offset, thread.id);
        if (!next.ok())
            return;
        entry = *next;
    }
    if (head->pending != 0)
        release_mutex(head->pending, head->word_offset, thread.id);
}

// Whoever made the thread hears of its end by its word (pthread_join).
void clear_thread_id(const Thread& thread) {
    const Process& process = *thread.process;
    if (thread.clear_child_tid == 0 || (process.thread_count == 1 && process.space->references == 1))
        return; // nobody else could see it
    const mm::UserAddress word{thread.clear_child_tid};
    if (mm::write_user(word, std::uint32_t{0}).ok())
        (void)sched::futex_wake({word}, 1, sched::match_any);
}

void leave_threads(Thread& thread) {
    Process& process = *thread.process;
    for (Thread** link = &process.threads; *link != nullptr; link = &(*link)->next_in_process)
        if (*link == &thread) {
            *link = thread.next_in_process;
            break;
        }
    --process.thread_count;
    if (thread.pid->thread == &thread)
        thread.pid->thread = nullptr;
    thread.pid = nullptr;
    thread.pending.flush(~signal::Set{0}, process.account);
    process.dead_threads_ns += sched::thread_cpu_ns(thread);
}

// What its children asked for the case that the thread that made them ends.
void send_death_signals(const Process& process, int thread) {
    for (Process* child = process.children; child != nullptr; child = child->sibling) {
        if (child->creator != thread || child->death_signal == 0)
            continue;
        signal::Information information;
        information.number = child->death_signal;
        information.code = signal::code::user;
        (void)signal::send_to_process(*child, information);
    }
}

Process& new_parent_of_orphans(const Process& process) {
    for (Process* above = process.parent; above != nullptr; above = above->parent)
        if (above->child_subreaper && !above->is_zombie() && !above->exiting)
            return *above;
    return *process_list();
}

// A stopped group that nobody could continue any more is told and continued. Only where `child` and `parent` were its connection to
// the rest of the session: a group that has none is not told whenever one of it ends.
void wake_orphans(const Process& child, const Process& parent, const Process* without) {
    const Pid& group = *child.group;
    if (parent.group == child.group || !(parent.session == child.session))
        return;
    bool any_stopped = false;
    for (const Process* member = process_list(); member != nullptr; member = member->next)
        any_stopped = any_stopped || (member->group.get() == &group && member->stop_signal != 0);
    if (!any_stopped || !signal::is_orphaned(group, without))
        return;
    for (Process* member = process_list(); member != nullptr; member = member->next)
        for (const int number : {signal::hup, signal::cont})
            if (member->group.get() == &group && member != without) {
                signal::Information information;
                information.number = number;
                information.code = signal::code::kernel;
                (void)signal::send_to_process(*member, information);
            }
}

// SIGCHLD and whoever waits. True: the parent wants no status, so the child is to go at once.
bool announce(Process& child) {
    Process& parent = *child.parent;
    const int status = child.exit_status, number = status & 0x7F;
    const signal::ChildNews news = number == 0
                                       ? signal::ChildNews{signal::code::child_exited, status >> 8 & 0xFF}
                                       : signal::ChildNews{signal::code::child_killed, number};
    bool unwanted = false, silent = child.exit_signal == 0;
    if (child.exit_signal == signal::child && !parent.is_zombie()) {
        const signal::Action& action = parent.action(signal::child);
        silent = action.handler == signal::handler_ignore;
        unwanted = silent || (action.flags & signal::action_flag::no_child_wait) != 0;
    }
    if (!silent)
        signal::tell_parent(child, child.exit_signal, news);
    parent.on_child.wake_all();
    return unwanted;
}

// All of them first: what is told below must find parents that live.
void give_children_away(Process& process) {
    Process* const first = process.children;
    Process& heir = new_parent_of_orphans(process);
    while (process.children != nullptr) {
        Process& child = *process.children;
        remove_child(child);
        add_child(heir, child);
        child.exit_signal = signal::child;
    }
    Process* next = nullptr;
    for (Process* child = first; child != nullptr; child = next) {
        next = child->sibling;
        if (!child->is_zombie())
            wake_orphans(*child, process, nullptr);
        else if (announce(*child))
            reap(*child);
    }
}

// The last thread is about to go: what the process holds goes, and its parent hears of it.
void end_process_now(Process& process) {
    if (process.id == 1) {
        policy::end_record();
        const int number = process.exit_status & 0x7F;
        if (number != 0)
            machine::end_partition(128 + static_cast<unsigned>(number), CAISSON_EXIT_SIGNAL);
        machine::end_partition(static_cast<unsigned>(process.exit_status) >> 8 & 0xFF, CAISSON_EXIT_NORMAL);
    }
    signal::drop_posix_timers(process);
    for (signal::IntervalTimer*& timer : process.interval_timers)
        mm::destroy(std::exchange(timer, nullptr));
    if (process.session->id == process.id)
        fs::give_up_controlling(process.id);
    process.space = nullptr;
    ipc::undo_semaphores(process.id);
    ipc::sweep_segments();
    process.files = nullptr;
    process.executable = {};
    leave_place(process);
    process.context.root = process.context.working = nullptr;
    process.pending.flush(~signal::Set{0}, process.account);
    process.stop_signal = 0;
    give_children_away(process);
    process.actions = nullptr;
    wake_orphans(process, *process.parent, &process);
    process.pid->on_end.wake_all();
    if (announce(process))
        reap(process);
}

} // namespace

void reap(Process& process) {
    remove_child(process);
    leave_process(process);
    process.pid->process = nullptr;
    mm::destroy(&process);
}

void end_thread(int status) {
    Thread& thread = current();
    Process& process = *thread.process;
    const bool last = process.thread_count == 1;
    if (last)
        signal::begin_end(process, (status & 0xFF) << 8);
    sched::pi_owner_ends(thread);
    walk_robust_list(thread);
    clear_thread_id(thread);
    release_vfork(thread);
    if (last && process.id != 1) { // the end of the first is the partition's
        process.resident_max = std::max(process.resident_max, process.space->resident_pages());
        if (process.space->references == 1)
            process.space->shed(&sched::preemption_point);
    }
    const int id = thread.id;
    process.last_name = thread.name;
    leave_threads(thread);
    process.on_thread_end.wake_all();
    send_death_signals(process, id);
    if (process.thread_count == 0)
        end_process_now(process);
    else
        signal::note_thread_gone(process);
    sched::end_current();
}

void end_process(int status) {
    signal::begin_end(current_process(), (status & 0xFF) << 8);
    end_thread(status);
}

} // namespace uk::process

namespace uk::signal {

void end_thread() {
    process::end_thread(0);
}

void end_process(int number) {
    begin_end(current_process(), number);
    process::end_thread(0);
}

} // namespace uk::signal
