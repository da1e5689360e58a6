// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/pi_futex.hpp - futexes that have an owner (FUTEX_LOCK_PI and its relatives).
//
// The word holds the owner's number; an unlock hands it to the thread that waits longest. No thread has a priority here, so none is
// inherited: what is left is the hand-over, the owner that died, and the circle that would never end.
#pragma once

#include "partitions/unikernel/sched/futex.hpp"

namespace uk {
struct Thread;
}

namespace uk::sched {

enum class Contended : std::uint8_t { wait, give_up };

// The current thread owns the word when it succeeds. Errors: deadlk (it does already, or its owner waits for it), again (give_up), srch
// (the owner is not there), fault, timedout, restart_sys.
[[nodiscard]] Status pi_lock(FutexWord word, Contended contended, Deadline deadline);
// perm: the current thread does not own it.
[[nodiscard]] Status pi_unlock(FutexWord word);
// What `thread`, which ends, owns and others wait for is theirs, with the mark of an owner that died.
void pi_owner_ends(const Thread& thread);

} // namespace uk::sched
