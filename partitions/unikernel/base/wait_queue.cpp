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

WaitQueue::~WaitQueue() {
    while (first_ != nullptr)
        remove(*first_);
}

void WaitQueue::wake(std::uint32_t events) {
    if (first_ == nullptr)
        return;
    // Each of those here now once: notify may let others in, behind the last.
    Waiter* const last = first_->previous_;
    for (Waiter* waiter = first_; waiter != nullptr;) {
        Waiter* const next = waiter == last ? nullptr : waiter->next_;
        if ((waiter->events & events) != 0) {
            if (waiter->stay_ == Waiter::Stay::until_woken)
                remove(*waiter);
            waiter->notify_(*waiter, events);
        }
        waiter = next;
    }
}

} // namespace uk
