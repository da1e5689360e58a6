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
};

} // namespace

Status futex_wait(mm::UserAddress word, std::uint32_t expected, std::uint32_t bits, Deadline deadline) {
    const auto value = CAISSON_TRY(mm::read_user<std::uint32_t>(word));
    if (value != expected)
        return base::Failure{Errno::again};
    Sleeper sleeper;
    sleeper.key = word.value();
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

unsigned futex_wake(mm::UserAddress word, unsigned count, std::uint32_t bits) {
    return table.wake(word.value(), count, bits);
}

unsigned futex_requeue(mm::UserAddress from, mm::UserAddress to, unsigned count) {
    return table.requeue(from.value(), to.value(), count);
}

} // namespace uk::sched
