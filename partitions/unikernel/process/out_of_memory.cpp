// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/out_of_memory.cpp - see out_of_memory.hpp.
#include "partitions/unikernel/process/out_of_memory.hpp"

#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"

namespace uk::process {

namespace {

// Pages that would come back, near enough: what is shared is counted for each that shows it, as Linux does.
std::int64_t badness(const Process& process) {
    const auto all = static_cast<std::int64_t>(mm::frame_counts().total);
    return static_cast<std::int64_t>(process.space->resident_pages() + process.space->table_pages()) +
           process.out_of_memory_adjustment * all / 1000;
}

bool is_going(const Process& process) {
    return process.exiting && !process.is_zombie();
}

void kill(Process& victim) {
    base::Text<160> line;
    line << "out of memory: " << mm::frame_counts().total * 4 << " KiB of RAM are in use; process "
         << victim.id << " '" << victim.threads->name.data() << "' is killed";
    log(line.view());
    base::Text<64> note;
    note << "oom=" << victim.id << ':' << victim.threads->name.data();
    audit(note.view());
    signal::begin_end(victim, signal::kill);
}

} // namespace

void choose_victim() {
    Process* victim = nullptr;
    for (Process* process = process_list(); process != nullptr; process = process->next) {
        if (process->is_zombie())
            continue;
        if (is_going(*process))
            return;
        if (process->out_of_memory_adjustment == -1000 && process->id != 1)
            continue; // it asked never to be; when nobody else is left, PID 1
        // Of several that are equally large the youngest.
        if (victim == nullptr || badness(*process) >= badness(*victim))
            victim = process;
    }
    if (victim != nullptr)
        kill(*victim);
}

void relieve_memory() {
    choose_victim();
    if (!current_process().exiting)
        sched::yield();
}

} // namespace uk::process
