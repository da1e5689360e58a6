// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/timer_heap.cpp - see timer_heap.hpp.
#include "partitions/unikernel/sched/timer_heap.hpp"

#include <utility>

namespace uk::sched {

// The later of two becomes the other's first child.
Timer* TimerHeap::meld(Timer* one, Timer* other) {
    if (one == nullptr || other == nullptr)
        return one != nullptr ? one : other;
    if (other->at < one->at || (other->at == one->at && other->order_ < one->order_))
        std::swap(one, other);
    other->previous_ = one;
    other->sibling_ = one->child_;
    if (one->child_ != nullptr)
        one->child_->previous_ = other;
    one->child_ = other;
    one->sibling_ = nullptr;
    return one;
}

// In pairs from left to right, then the pairs from right to left: what makes the average logarithmic.
Timer* TimerHeap::meld_children(Timer* child) {
    Timer* pairs = nullptr;
    while (child != nullptr) {
        Timer* second = child->sibling_;
        Timer* rest = second != nullptr ? second->sibling_ : nullptr;
        Timer* pair = meld(child, second);
        pair->sibling_ = pairs;
        pairs = pair;
        child = rest;
    }
    Timer* all = nullptr;
    while (pairs != nullptr) {
        Timer* next = pairs->sibling_;
        pairs->sibling_ = nullptr;
        all = meld(all, pairs);
        pairs = next;
    }
    if (all != nullptr)
        all->previous_ = nullptr;
    return all;
}

void TimerHeap::add(Timer& timer, Deadline at) {
    timer.at = at;
    timer.order_ = entered_++;
    timer.child_ = timer.sibling_ = timer.previous_ = nullptr;
    timer.armed = true;
    timer.heap_ = this;
    first_ = meld(first_, &timer);
}

void TimerHeap::remove(Timer& timer) {
    if (!timer.armed)
        return;
    timer.armed = false;
    Timer* below = meld_children(timer.child_);
    if (&timer == first_) {
        first_ = below;
        return;
    }
    Timer& before = *timer.previous_;
    (before.child_ == &timer ? before.child_ : before.sibling_) = timer.sibling_;
    if (timer.sibling_ != nullptr)
        timer.sibling_->previous_ = &before;
    first_ = meld(first_, below);
    first_->previous_ = nullptr;
}

} // namespace uk::sched
