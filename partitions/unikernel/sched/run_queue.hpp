// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/run_queue.hpp - the threads that are ready, first come, first served.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::sched {

class RunQueue {
public:
    [[nodiscard]] bool empty() const { return first_ == nullptr; }

    [[nodiscard]] std::uint32_t count() const { return count_; }

    void push(Thread& thread) {
        thread.next_ready = nullptr;
        (first_ != nullptr ? last_->next_ready : first_) = &thread;
        last_ = &thread;
        ++count_;
    }
    [[nodiscard]] Thread* take() { // nullptr: none
        Thread* thread = first_;
        if (thread != nullptr) {
            first_ = thread->next_ready;
            --count_;
        }
        return thread;
    }
    // The first that is `wanted`.
    template <typename Wanted> [[nodiscard]] Thread* take_if(Wanted wanted) {
        Thread* before = nullptr;
        for (Thread* thread = first_; thread != nullptr; before = thread, thread = thread->next_ready) {
            if (!wanted(*thread))
                continue;
            (before != nullptr ? before->next_ready : first_) = thread->next_ready;
            if (thread == last_)
                last_ = before;
            --count_;
            return thread;
        }
        return nullptr;
    }

private:
    Thread* first_ = nullptr;
    Thread* last_ = nullptr; // where there is a first
    std::uint32_t count_ = 0;
};

} // namespace uk::sched
