// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/futex.cpp - see futex.hpp.
#include "partitions/unikernel/sched/futex.hpp"

#include "partitions/unikernel/sched/futex_table.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk::sched {

namespace {

FutexTable table;

// On the sleeping thread's kernel stack.
struct Sleeper : FutexWaiter {
    WaitQueue queue;
    Ref<fs::Node> object; // so that no other comes to lie where the key says
};

Result<FutexKey> key_of(FutexWord word, Ref<fs::Node>* hold = nullptr) {
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

} // namespace

Status futex_wait(FutexWord word, std::uint32_t expected, std::uint32_t bits, Deadline deadline) {
    const auto value = CAISSON_TRY(mm::read_user<std::uint32_t>(word.address));
    if (value != expected)
        return base::Failure{Errno::again};
    Sleeper sleeper;
    sleeper.key = CAISSON_TRY(key_of(word, &sleeper.object));
    sleeper.bits = bits;
    sleeper.wake = [](FutexWaiter& waiter) { static_cast<Sleeper&>(waiter).queue.wake_all(); };
    table.add(sleeper);
    ThreadWaiter waiter;
    sleeper.queue.add(waiter);
    while (sleeper.queued) {
        const Status slept = sleep(deadline);
        if (!slept.ok() && sleeper.queued) {
            table.remove(sleeper);
            return slept;
        }
    }
    return base::success;
}

Result<unsigned> futex_wake(FutexWord word, unsigned count, std::uint32_t bits) {
    return table.wake(CAISSON_TRY(key_of(word)), count, bits);
}

Result<unsigned> futex_requeue(FutexWord from, FutexWord to, unsigned count) {
    return table.requeue(CAISSON_TRY(key_of(from)), CAISSON_TRY(key_of(to)), count);
}

} // namespace uk::sched
