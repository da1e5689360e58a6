// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/waiting.hpp - what the calls share that wait for several files at once.
#pragma once

#include "partitions/unikernel/mm/heap_array.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/signal/signals.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"

#include <algorithm>
#include <span>

namespace uk {

using mm::HeapArray;

// A relative time-out from user memory; a null pointer waits without end. 0: look once.
[[nodiscard]] Result<Deadline> deadline_of(mm::UserAddress address, std::int64_t parts_per_second);
// What is left of it, to where it came from (select and ppoll tell); a place that cannot be written is left alone.
void store_remaining(mm::UserAddress address, Deadline deadline, std::int64_t parts_per_second);
[[nodiscard]] Deadline deadline_in_milliseconds(int milliseconds); // negative: never

// ppoll and its like: another signal mask while waiting. The old one comes back behind the handler, if one runs.
class MaskedWait {
public:
    MaskedWait() = default;
    MaskedWait(const MaskedWait&) = delete;
    MaskedWait& operator=(const MaskedWait&) = delete;
    [[nodiscard]] Status begin(mm::UserAddress mask, std::uint64_t bytes) {
        if (mask.value() == 0)
            return base::success;
        if (bytes != sizeof(signal::Set))
            return base::Failure{Errno::inval};
        const auto blocked = CAISSON_TRY(mm::read_user<signal::Set>(mask));
        Thread& thread = current();
        thread.saved_blocked = thread.blocked;
        signal::set_blocked(thread, blocked & ~signal::unblockable);
        active_ = true;
        return base::success;
    }
    SyscallResult end(const SyscallResult& result) {
        if (!active_)
            return result;
        Thread& thread = current();
        if (!result.ok() &&
            (result.error() == Errno::intr || result.error() == Errno::restart_without_handler))
            thread.restore_blocked = true;
        else
            signal::set_blocked(thread, thread.saved_blocked);
        return result;
    }

private:
    bool active_ = false;
};

} // namespace uk
