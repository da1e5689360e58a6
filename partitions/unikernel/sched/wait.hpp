// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/wait.hpp - how a thread waits for something, and how it is woken.
//
// The kernel is not pre-empted, so "test the condition, then wait" has no gap. Woken means "look again": the
// condition is tested anew by whoever waited.
//
//   while (!pipe.readable())
//       CAISSON_TRY(sched::wait(pipe.readers, never));
//
// Several queues at once (poll): one ThreadWaiter a queue, add() each, sleep() once, the destructors take them
// off.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/base/wait_queue.hpp"
#include "partitions/unikernel/machine/clock.hpp"

namespace uk {
struct Thread;
}

namespace uk::sched {

// A waiter that ends the sleep of the thread that made it. Lives on that thread's kernel stack.
class ThreadWaiter : public Waiter {
public:
    ThreadWaiter();
    [[nodiscard]] bool woken() const { return woken_; }

private:
    static void end_sleep(Waiter& waiter, std::uint32_t events);
    Thread* thread_;
    bool woken_ = false;
};

// Sleeps until a ThreadWaiter of the current thread is woken. ETIMEDOUT at the deadline; restart_sys when a
// signal is to be delivered (the way out of the system call makes EINTR or a restart of it); a handler that
// Linux never restarts (poll, nanosleep, ...) turns restart_sys into intr itself.
[[nodiscard]] Status sleep(Deadline deadline);
// What a waiter of another kind does to end the sleep of `thread`, or its next one.
void end_sleep(Thread& thread);

// A waiter on `queue` and sleep().
[[nodiscard]] Status wait(WaitQueue& queue, Deadline deadline);

} // namespace uk::sched
