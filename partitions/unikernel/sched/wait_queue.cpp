// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/wait_queue.cpp - rings of waiters. Sleeping itself is in scheduler.cpp.
#include "partitions/unikernel/sched/wait_queue.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/process.hpp"
#include "partitions/unikernel/sched/scheduler.hpp"

namespace uk::sched {

Waiter::Waiter() : thread_(&current()) {}

Waiter::~Waiter() {
    if (queue_ != nullptr)
        queue_->remove(*this);
}

void WaitQueue::add(Waiter& waiter) {
    base::expects(waiter.queue_ == nullptr, "WaitQueue: a waiter is in one queue");
    waiter.queue_ = this;
    waiter.woken_ = false;
    if (first_ == nullptr) {
        first_ = waiter.next_ = waiter.previous_ = &waiter;
        return;
    }
    waiter.next_ = first_;
    waiter.previous_ = first_->previous_;
    waiter.previous_->next_ = &waiter;
    first_->previous_ = &waiter;
}

void WaitQueue::remove(Waiter& waiter) {
    if (waiter.queue_ != this)
        return;
    waiter.queue_ = nullptr;
    if (waiter.next_ == &waiter) {
        first_ = nullptr;
        return;
    }
    waiter.previous_->next_ = waiter.next_;
    waiter.next_->previous_ = waiter.previous_;
    if (first_ == &waiter)
        first_ = waiter.next_;
}

unsigned WaitQueue::wake(unsigned count) {
    unsigned woken = 0;
    for (; woken < count && first_ != nullptr; ++woken) {
        Waiter& waiter = *first_;
        remove(waiter);
        waiter.woken_ = true;
        waiter.thread_->woken = true;
        interrupt_sleep(*waiter.thread_);
    }
    return woken;
}

} // namespace uk::sched
