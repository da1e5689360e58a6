// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/wait_queue.hpp - who wants to be told when something happens.
//
// A queue knows nothing of threads: a waiter brings the events it asks for (bits of poll(2)) and the function
// that is called. sched/wait.hpp has the waiter that ends a thread's sleep, fs/files/epoll.hpp the one that
// puts a watch on a ready list.
#pragma once

#include <cstdint>

namespace uk {

class WaitQueue;

inline constexpr std::uint32_t any_event = ~std::uint32_t{0};

// A place in one queue. `notify` must not wait and must not touch the queue that calls it.
class Waiter {
public:
    using Notify = void (*)(Waiter& waiter, std::uint32_t events);
    enum class Stay : std::uint8_t { until_woken, until_removed };
    Waiter(Notify notify, Stay stay) : notify_(notify), stay_(stay) {}
    ~Waiter();
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;

    std::uint32_t events = any_event; // told only of these

private:
    friend class WaitQueue;
    Notify notify_;
    WaitQueue* queue_ = nullptr;
    Waiter* next_ = nullptr; // a ring while in a queue
    Waiter* previous_ = nullptr;
    Stay stay_;
};

// One pointer; an empty queue is all zero bytes, and a queue that holds waiters does not move.
class WaitQueue {
public:
    constexpr WaitQueue() = default;
    WaitQueue(const WaitQueue&) = delete;
    WaitQueue& operator=(const WaitQueue&) = delete;
    ~WaitQueue();             // whoever still waits is told of nothing any more
    void add(Waiter& waiter); // at the end
    void remove(Waiter& waiter);
    void wake(std::uint32_t events); // everybody who asked for one of them
    void wake_all() { wake(any_event); }
    [[nodiscard]] bool empty() const { return first_ == nullptr; }

private:
    Waiter* first_ = nullptr;
};

} // namespace uk
