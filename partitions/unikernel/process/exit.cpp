// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/exit.cpp - see exit.hpp.
// Spec: Linux Documentation/locking/robust-futex-ABI (layout of the list of robust mutexes).
#include "partitions/unikernel/process/exit.hpp"

#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/futex.hpp"
#include "partitions/unikernel/sched/futex_table.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"
#include "partitions/unikernel/signal/signals.hpp"

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
    if ((*value & waiters) != 0)
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

} // namespace

void end_thread(int status) {
    Thread& thread = current();
    Process& process = *thread.process;
    if (process.thread_count == 1)
        end_process(status);
    walk_robust_list(thread);
    if (thread.clear_child_tid != 0) {
        const mm::UserAddress word{thread.clear_child_tid};
        if (mm::write_user(word, std::uint32_t{0}).ok())
            (void)sched::futex_wake({word}, 1, sched::match_any);
    }
    for (Thread** link = &process.threads; *link != nullptr; link = &(*link)->next_in_process)
        if (*link == &thread) {
            *link = thread.next_in_process;
            break;
        }
    --process.thread_count;
    process.dead_threads_ns += sched::thread_cpu_ns(thread);
    process.on_thread_end.wake_all();
    sched::end_current();
}

void end_process(int status) {
    machine::end_partition(static_cast<unsigned>(status) & 0xFF, CAISSON_EXIT_NORMAL);
}

void end_process_by_signal(int number) {
    machine::end_partition(128 + static_cast<unsigned>(number), CAISSON_EXIT_SIGNAL);
}

} // namespace uk::process

namespace uk::signal {

void end_thread() {
    process::end_thread(0);
}

void end_process(int number) {
    process::end_process_by_signal(number);
}

} // namespace uk::signal
