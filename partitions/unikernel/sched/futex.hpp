// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/futex.hpp - futex operations on the current process's memory.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/mm/user.hpp"

#include <cstdint>

namespace uk::sched {

// Sleeps if the word is `expected`. Errors: again (it is not), fault, timedout, restart_sys.
[[nodiscard]] Status futex_wait(mm::UserAddress word, std::uint32_t expected, std::uint32_t bits,
                                Deadline deadline);
unsigned futex_wake(mm::UserAddress word, unsigned count, std::uint32_t bits);
unsigned futex_requeue(mm::UserAddress from, mm::UserAddress to, unsigned count);

} // namespace uk::sched
