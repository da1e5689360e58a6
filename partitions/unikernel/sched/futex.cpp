// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/futex.cpp - see futex.hpp.
#include "partitions/unikernel/sched/futex.hpp"

#include "partitions/unikernel/mm/heap_array.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <algorithm>

namespace uk::sched {

namespace {

FutexTable table;

// On the sleeping thread's kernel stack, or held by it.
struct Sleeper : FutexWaiter {
    Thread* thread = nullptr;
    Ref<fs::Node> object; // so that no other comes to lie where the key says
};

} // namespace

Result<FutexKey> key_of(FutexWord word, Ref<fs::Node>* hold) {
    const mm::AddressSpace& space = *current_process().space;
    if (!word.is_private) {
        const mm::Vma* vma = space.ranges().find(word.address.value());
        if (vma == nullptr || vma->protection == 0)
            return base::Failure{Errno::fault};
        if (vma->shared) {
            if (hold != nullptr)
                *hold = Ref<fs::Node>{vma->node};
            return FutexKey{vma->node, vma->offset_of(word.address.value())};
        }
    }
    return FutexKey{&space, word.address.value()};
}

namespace {

// On the word's list, if the word is as expected.
Status enter(Sleeper& sleeper, const FutexWanted& wanted, std::uint32_t bits) {
    const auto value = CAISSON_TRY(mm::read_user<std::uint32_t>(wanted.word.address));
    if (value != wanted.expected)
        return base::Failure{Errno::again};
    sleeper.key = CAISSON_TRY(key_of(wanted.word, &sleeper.object));
    sleeper.bits = bits;
    sleeper.thread = &current();
    sleeper.wake = [](FutexWaiter& woken) { end_sleep(*static_cast<Sleeper&>(woken).thread); };
    table.add(sleeper);
    return base::success;
}

} // namespace

Status futex_wait(FutexWord word, std::uint32_t expected, std::uint32_t bits, Deadline deadline) {
    Sleeper sleeper;
    CAISSON_TRY(enter(sleeper, {word, expected}, bits));
    while (sleeper.queued) {
        const Status slept = sleep(deadline);
        if (!slept.ok() && sleeper.queued) {
            table.remove(sleeper);
            return slept;
        }
    }
    return base::success;
}

Result<unsigned> futex_wait_any(std::span<const FutexWanted> wanted, Deadline deadline) {
    mm::HeapArray<Sleeper> sleepers{wanted.size()};
    if (!sleepers.made())
        return base::Failure{Errno::nomem};
    const std::span<Sleeper> all = sleepers.view();
    std::size_t entered = 0;
    Status status = base::success;
    // The first that is on its list no more; what is left goes.
    const auto woken = [&] {
        std::size_t found = entered;
        for (std::size_t i = 0; i < entered; ++i)
            if (!all[i].queued)
                found = std::min(found, i);
        return found;
    };
    while (status.ok() && entered < all.size()) {
        status = enter(all[entered], wanted[entered], match_any);
        entered += status.ok() ? 1 : 0;
    }
    while (status.ok() && woken() == entered)
        status = sleep(deadline);
    const std::size_t found = woken();
    for (std::size_t i = 0; i < entered; ++i)
        table.remove(all[i]);
    if (found < entered)
        return static_cast<unsigned>(found);
    return base::Failure{status.error()};
}

Result<unsigned> futex_wake(FutexWord word, unsigned count, std::uint32_t bits) {
    return table.wake(CAISSON_TRY(key_of(word, nullptr)), count, bits);
}

Result<unsigned> futex_requeue(FutexWord from, FutexWord to, unsigned count) {
    return table.requeue(CAISSON_TRY(key_of(from, nullptr)), CAISSON_TRY(key_of(to, nullptr)), count);
}

} // namespace uk::sched
