// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/fs_seam.cpp - what the file systems ask of the kernel (fs/seam.hpp). Texts of
// /proc are in proc_text.cpp.
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/fs/proc/synthetic_table.hpp"
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/process/fork.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/task/identity.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk::fs::seam {

void random(std::span<std::byte> out) {
    machine::random_bytes(out);
}

std::uint64_t file_size_limit() {
    return current().process->limits[static_cast<unsigned>(Resource::file_size)].soft;
}

void preemption_point() {
    sched::preemption_point();
}

void signal_file_size() {
    signal::Information information{};
    information.number = signal::file_size;
    information.code = signal::code::kernel;
    (void)signal::send_to_thread(current(), information);
}

void forget_mapped_pages(Node& node, std::uint64_t first, std::uint64_t end, bool copies_too) {
    mm::forget_pages(node.mappings, first, end, copies_too);
}

int current_session() {
    return current().process->session->id;
}
int current_group() {
    return current().process->group->id;
}
bool leads_session() {
    return current_session() == current().process->id;
}
int session_of_group(int group) {
    for (const Process* process = process_list(); process != nullptr; process = process->next)
        if (process->group->id == group)
            return process->session->id;
    return 0;
}

namespace {

void send_from_kernel(Process& process, int number) {
    signal::Information information;
    information.number = number;
    information.code = signal::code::kernel;
    (void)signal::send_to_process(process, information);
}

} // namespace

void signal_group(int group, int number) {
    for (Process* process = process_list(); process != nullptr; process = process->next)
        if (process->group->id == group && !process->is_zombie())
            send_from_kernel(*process, number);
}

void signal_process(int id, int number) {
    if (Process* process = find_process(id); process != nullptr && !process->is_zombie())
        send_from_kernel(*process, number);
}

bool owner_exists(const FileOwner& owner) {
    if (owner.kind == FileOwner::group)
        return session_of_group(owner.id) != 0;
    return find_thread(owner.id) != nullptr || find_process(owner.id) != nullptr;
}

namespace {

bool may_signal(const FileOwner& owner, const Process& target) {
    const Credentials& theirs = target.context.credentials;
    const auto same = [&theirs](std::uint32_t user) {
        return user == theirs.saved_user || user == theirs.real_user;
    };
    return owner.effective_user == 0 || same(owner.effective_user) || same(owner.real_user);
}

// With what happened; where nothing is asked for or the queue is full SIGIO alone.
void tell_owner(const FileOwner& owner, Process& process, Thread* thread, const FileSignal& what) {
    if (!may_signal(owner, process) || process.is_zombie())
        return;
    signal::Information information;
    const auto send = [&] {
        return thread != nullptr ? signal::send_to_thread(*thread, information)
                                 : signal::send_to_process(process, information);
    };
    if (what.number != 0) {
        information.number = what.number;
        information.code = what.code != 0 ? what.code : signal::code::kernel;
        information.process = static_cast<int>(what.band);
        information.value = static_cast<std::uint32_t>(what.descriptor);
        if (send().ok())
            return;
    }
    information = {.number = signal::input_output, .code = signal::code::kernel};
    (void)send();
}

} // namespace

void signal_owner(const FileOwner& owner, const FileSignal& what) {
    if (owner.kind == FileOwner::thread) {
        if (Thread* thread = find_thread(owner.id))
            tell_owner(owner, *thread->process, thread, what);
        return;
    }
    for (Process* process = process_list(); process != nullptr; process = process->next)
        if ((owner.kind == FileOwner::group ? process->group->id : process->id) == owner.id)
            tell_owner(owner, *process, nullptr, what);
}

Status may_use_terminal(int session, int foreground, int number) {
    const Process& process = *current().process;
    if (session == 0 || session != process.session->id || foreground == process.group->id)
        return base::success;
    const bool deaf = (current().blocked & signal::bit(number)) != 0 ||
                      process.action(number).handler == signal::handler_ignore;
    if (deaf && number != signal::ttin)
        return base::success;
    if (deaf || signal::is_orphaned(*process.group))
        return base::Failure{Errno::io};
    signal_group(process.group->id, number);
    return base::Failure{Errno::restart_sys};
}

int current_process() {
    return uk::current_process().id;
}
int current_thread() {
    return current().id;
}

int next_process(int after) {
    int next = 0;
    for (const Process* process = process_list(); process != nullptr; process = process->next)
        if (process->id > after && (next == 0 || process->id < next))
            next = process->id;
    return next;
}

// The first thread of a process is there until the process has been waited for.
int next_thread(int id, int after) {
    const Process* process = find_process(id);
    if (process == nullptr)
        return 0;
    int next = id > after ? id : 0;
    for (const Thread* thread = process->threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id > after && (next == 0 || thread->id < next))
            next = thread->id;
    return next;
}

FileTable* files_of(int id) {
    const Process* process = find_process(id);
    return process == nullptr ? nullptr : process->files.get();
}
const Credentials* credentials_of(int id) {
    const Process* process = find_process(id);
    return process == nullptr ? nullptr : &process->context.credentials;
}
Node* executable_of(int id) {
    const Process* process = find_process(id);
    return process == nullptr ? nullptr : process->executable.get();
}
Node* working_directory_of(int id) {
    const Process* process = find_process(id);
    return process == nullptr ? nullptr : process->context.working.get();
}

std::size_t read_memory_of(int id, std::uint64_t address, std::span<std::byte> to) {
    const Process* process = find_process(id);
    return process == nullptr || !process->space ? 0 : process->space->read_pages(address, to);
}
std::size_t write_memory_of(int id, std::uint64_t address, std::span<const std::byte> from) {
    const Process* process = find_process(id);
    return process == nullptr || !process->space ? 0 : process->space->write_pages(address, from);
}

std::string_view hostname() {
    return uk::hostname();
}
unsigned cpu_count() {
    return machine::cpu_count;
}
std::uint64_t tasks() {
    return task_count();
}
std::uint64_t task_limit() {
    return process::task_limit();
}
std::uint64_t memory_bytes() {
    return mm::frame_counts().total * base::page_size;
}

} // namespace uk::fs::seam
