// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/wait_queue.hpp - who wants to be told when something happens.
//
// A queue knows nothing of threads: a waiter brings the function that is called. sched/wait.hpp has the
// waiter that ends a thread's sleep.
#pragma once

namespace uk {

class WaitQueue;

// A place in one queue. `notify` is called, off the queue, when the queue is woken; it must not wait.
class Waiter {
public:
    using Notify = void (*)(Waiter& waiter);
    explicit Waiter(Notify notify) : notify_(notify) {}
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

private:
    friend class WaitQueue;
    Notify notify_;
    WaitQueue* queue_ = nullptr;
    Waiter* next_ = nullptr; // a ring while in a queue
    Waiter* previous_ = nullptr;
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

} // namespace uk
