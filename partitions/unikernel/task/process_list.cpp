// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/process_list.cpp - who there is.
#include "partitions/unikernel/task/process.hpp"

namespace uk {

namespace {
PidTable pids;
Process *first = nullptr, *last = nullptr;
} // namespace

PidTable& pid_table() {
    return pids;
}

Process* process_list() {
    return first;
}

Process* find_process(int id) {
    const Pid* pid = pids.find(id);
    return pid == nullptr ? nullptr : pid->process;
}

Thread* find_thread(int id) {
    const Pid* pid = pids.find(id);
    return pid == nullptr ? nullptr : pid->thread;
}

void enter_process(Process& process) {
    process.previous = last;
    process.next = nullptr;
    (last != nullptr ? last->next : first) = &process;
    last = &process;
}

void leave_process(Process& process) {
    (process.previous != nullptr ? process.previous->next : first) = process.next;
    (process.next != nullptr ? process.next->previous : last) = process.previous;
}

void add_child(Process& parent, Process& child) {
    Process** link = &parent.children;
    while (*link != nullptr)
        link = &(*link)->sibling;
    *link = &child;
    child.sibling = nullptr;
    child.parent = &parent;
    __atomic_store_n(&child.parent_number, parent.id, __ATOMIC_RELAXED);
}

void remove_child(Process& child) {
    Process** link = &child.parent->children;
    while (*link != &child)
        link = &(*link)->sibling;
    *link = child.sibling;
    child.parent = nullptr;
}

void share_place(const Process& process) {
    for (Process* other = process.place_sharer; other != nullptr && other != &process;
         other = other->place_sharer) {
        other->context.working = process.context.working;
        other->context.umask = process.context.umask;
    }
}

void join_place(Process& process, Process& with) {
    process.place_sharer = with.place_sharer != nullptr ? with.place_sharer : &with;
    with.place_sharer = &process;
}

void leave_place(Process& process) {
    Process* const next = std::exchange(process.place_sharer, nullptr);
    if (next == nullptr)
        return;
    Process* before = next;
    while (before->place_sharer != &process)
        before = before->place_sharer;
    before->place_sharer = next != before ? next : nullptr;
}

unsigned task_count() {
    unsigned count = 0;
    for (const Process* process = first; process != nullptr; process = process->next)
        count += process->is_zombie() ? 1 : process->thread_count;
    return count;
}

} // namespace uk
