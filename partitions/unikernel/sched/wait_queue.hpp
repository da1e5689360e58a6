// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/wait_queue.hpp - how a thread waits for something, and how it is woken.
//
// The kernel is not pre-empted, so "test the condition, then wait" has no gap. Woken means "look again": the
// condition is tested anew by whoever waited.
//
//   while (!pipe.readable())
//       CAISSON_TRY(sched::wait(pipe.readers, sched::never));
//
// Several queues at once (poll): one Waiter a queue, add() each, sleep() once, the destructors take them off.
#pragma once

#include "partitions/unikernel/errno.hpp"
#include "partitions/unikernel/sched/clock.hpp"

#include <cstdint>

namespace uk {
struct Thread;
}

namespace uk::sched {

class WaitQueue;

// A place of the current thread in one queue. Lives on the waiting thread's kernel stack.
class Waiter {
public:
    Waiter();
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    [[nodiscard]] bool woken() const { return woken_; }
    [[nodiscard]] Thread& thread() const { return *thread_; }

private:
    friend class WaitQueue;
    Thread* thread_;
    WaitQueue* queue_ = nullptr;
    Waiter* next_ = nullptr; // a ring while in a queue
    Waiter* previous_ = nullptr;
    bool woken_ = false;
};

// One pointer; an empty queue is all zero bytes, and a queue that holds waiters does not move.
class WaitQueue {
public:
    constexpr WaitQueue() = default;
    WaitQueue(const WaitQueue&) = delete;
    WaitQueue& operator=(const WaitQueue&) = delete;
    void add(Waiter& waiter); // at the end
    void remove(Waiter& waiter);
    unsigned wake(unsigned count); // the first `count`, which leave the queue; gives how many there were
    void wake_all() { (void)wake(~0u); }
    [[nodiscard]] bool empty() const { return first_ == nullptr; }

private:
    Waiter* first_ = nullptr;
};

// Sleeps until a Waiter of the current thread is woken. ETIMEDOUT at the deadline; restart_sys when a signal
// is to be delivered (the way out of the system call makes EINTR or a restart of it); a handler that Linux
// never restarts (poll, nanosleep, ...) turns restart_sys into intr itself.
[[nodiscard]] Status sleep(Deadline deadline);

// A Waiter on `queue` and sleep().
[[nodiscard]] Status wait(WaitQueue& queue, Deadline deadline);

} // namespace uk::sched
