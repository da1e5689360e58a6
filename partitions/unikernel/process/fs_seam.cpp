// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/fs_seam.cpp - what the file systems ask of the kernel (fs/seam.hpp). Texts of
// /proc are in proc_text.cpp.
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/machine/random.hpp"
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

void signal_file_size() {
    signal::Information information{};
    information.number = signal::file_size;
    information.code = signal::code::kernel;
    (void)signal::send_to_thread(current(), information);
}

void forget_mapped_pages(Node& node, std::uint64_t first, std::uint64_t end, bool copies_too) {
    mm::forget_pages(node.mappings, first, end, copies_too);
}

int current_process() {
    return main_process().id;
}
int current_thread() {
    return current().id;
}
int next_process(int after) {
    return after < main_process().id ? main_process().id : 0;
}

int next_thread(int process, int after) {
    if (process != main_process().id)
        return 0;
    int next = 0;
    for (const Thread* thread = main_process().threads; thread != nullptr; thread = thread->next_in_process)
        if (thread->id > after && (next == 0 || thread->id < next))
            next = thread->id;
    return next;
}

FileTable* files_of(int process) {
    return process == main_process().id ? &main_process().files : nullptr;
}
const Credentials* credentials_of(int process) {
    return process == main_process().id ? &main_process().context.credentials : nullptr;
}
Node* executable_of(int process) {
    return process == main_process().id ? main_process().executable.get() : nullptr;
}
Node* working_directory_of(int process) {
    return process == main_process().id ? main_process().context.working.get() : nullptr;
}

std::string_view hostname() {
    return uk::hostname();
}
unsigned cpu_count() {
    return 1;
}
std::uint64_t memory_bytes() {
    return mm::frame_counts().total * base::page_size;
}

} // namespace uk::fs::seam
