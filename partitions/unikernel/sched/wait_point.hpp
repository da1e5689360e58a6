// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/wait_point.hpp - the queue that a file's wait point stands for.
#pragma once

#include "partitions/unikernel/fs/seam.hpp"
#include "partitions/unikernel/sched/wait_queue.hpp"

namespace uk::sched {

static_assert(sizeof(WaitQueue) == sizeof(void*));

// SAFETY: `waiters` is the kernel's own word, used as a WaitQueue only; an empty queue is a null pointer.
inline WaitQueue& queue_of(fs::WaitPoint& point) {
    return *static_cast<WaitQueue*>(static_cast<void*>(&point.waiters));
}

} // namespace uk::sched
