// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/job_control.cpp - stopping and continuing processes, and what their parents hear of it.
// Spec: POSIX.1-2017 2.4.3 "Signal Actions" (stop and continue), 11.1.4 "Terminal Access Control" (orphaned groups).
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/signal/signals.hpp"

namespace uk::signal {

namespace {

void tell_of_stop(Process& process, const ChildNews& news) {
    if (process.parent == nullptr)
        return;
    if ((process.parent->action(child).flags & action_flag::no_child_stop) == 0)
        tell_parent(process, child, news);
    process.parent->on_child.wake_all();
}

// The last thread that still ran is parked.
void stop_if_complete(Process& process) {
    if (process.stop_signal == 0 || process.parked != process.thread_count || process.stop_to_report)
        return;
    process.stop_to_report = true;
    process.continue_to_report = false;
    tell_of_stop(process, {code::child_stopped, process.stop_signal});
}

} // namespace

void tell_parent(Process& who, int number, const ChildNews& news) {
    Information information;
    information.number = number;
    information.code = news.code;
    information.process = who.id;
    information.user = who.context.credentials.real_user;
    information.value = static_cast<std::uint32_t>(news.status);
    (void)send_to_process(*who.parent, information);
}

void stop_process(Process& process, int number) {
    if (process.stop_signal != 0 || process.exiting)
        return;
    process.stop_signal = number;
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        sched::interrupt_sleep(*thread);
}

void continue_process(Process& process) {
    if (process.stop_signal == 0)
        return;
    const bool was_complete = process.parked == process.thread_count;
    process.stop_signal = 0;
    process.stop_to_report = false;
    for (Thread* thread = process.threads; thread != nullptr; thread = thread->next_in_process)
        sched::interrupt_sleep(*thread);
    if (was_complete) {
        process.continue_to_report = true;
        tell_of_stop(process, {code::child_continued, cont});
    }
}

void park() {
    Thread& thread = current();
    Process& process = *thread.process;
    thread.parked = true;
    ++process.parked;
    stop_if_complete(process);
    while (process.stop_signal != 0 && !thread.ending)
        (void)sched::sleep(never);
    --process.parked;
    thread.parked = false;
}

void note_thread_gone(Process& process) {
    if (process.thread_count > 0)
        stop_if_complete(process);
}

bool is_orphaned(const Pid& group, const Process* without) {
    for (const Process* member = process_list(); member != nullptr; member = member->next) {
        if (member->group.get() != &group || member == without || member->is_zombie())
            continue;
        const Process* parent = member->parent;
        if (parent != nullptr && parent->group.get() != &group && parent->session == member->session)
            return false;
    }
    return true;
}

} // namespace uk::signal
