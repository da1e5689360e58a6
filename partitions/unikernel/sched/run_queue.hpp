// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/run_queue.hpp - the threads that are ready, first come, first served.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::sched {

class RunQueue {
public:
    [[nodiscard]] bool empty() const { return first_ == nullptr; }

    [[nodiscard]] std::uint64_t count() const {
        std::uint64_t count = 0;
        for (const Thread* thread = first_; thread != nullptr; thread = thread->next_ready)
            ++count;
        return count;
    }

    void push(Thread& thread) {
        thread.next_ready = nullptr;
        (first_ != nullptr ? last_->next_ready : first_) = &thread;
        last_ = &thread;
    }
    [[nodiscard]] Thread* take() { // nullptr: none
        Thread* thread = first_;
        if (thread != nullptr)
            first_ = thread->next_ready;
        return thread;
    }

private:
    Thread* first_ = nullptr;
    Thread* last_ = nullptr; // where there is a first
};

} // namespace uk::sched
