// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/base/wait_queue.cpp - rings of waiters.
#include "partitions/unikernel/base/wait_queue.hpp"

#include "hypervisor/base/fail.hpp"

namespace uk {

Waiter::~Waiter() {
    if (queue_ != nullptr)
        queue_->remove(*this);
}

void WaitQueue::add(Waiter& waiter) {
    base::expects(waiter.queue_ == nullptr, "WaitQueue: a waiter is in one queue");
    waiter.queue_ = this;
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
        waiter.notify_(waiter);
    }
    return woken;
}

} // namespace uk
