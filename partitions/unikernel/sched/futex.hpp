// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/futex.hpp - futex operations on the current process's memory.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/base/ref.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/sched/futex_table.hpp"

#include <cstdint>
#include <span>

namespace uk::fs {
struct Node;
}

namespace uk::sched {

// A word of the current process. FUTEX_PRIVATE_FLAG promises that no other process uses it; without it, a word
// in shared memory is the same at every address that shows it.
struct FutexWord {
    mm::UserAddress address;
    bool is_private = false;
};

// fault: nothing is mapped at a word that is not private. `hold`, unless nullptr, keeps the object that the key names.
[[nodiscard]] Result<FutexKey> key_of(FutexWord word, Ref<fs::Node>* hold);

// Sleeps if the word is `expected`. Errors: again (it is not), fault, timedout, restart_sys.
[[nodiscard]] Status futex_wait(FutexWord word, std::uint32_t expected, std::uint32_t bits,
                                Deadline deadline);
struct FutexWanted {
    FutexWord word;
    std::uint32_t expected = 0;
};
// The same on any of several words: which one was woken. nomem besides.
[[nodiscard]] Result<unsigned> futex_wait_any(std::span<const FutexWanted> wanted, Deadline deadline);
// How many were woken, or moved. fault: nothing is mapped at a word that is not private.
[[nodiscard]] Result<unsigned> futex_wake(FutexWord word, unsigned count, std::uint32_t bits);
[[nodiscard]] Result<unsigned> futex_requeue(FutexWord from, FutexWord to, unsigned count);

} // namespace uk::sched
