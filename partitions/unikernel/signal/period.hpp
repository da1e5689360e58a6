// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/period.hpp - a periodic timer whose signal waits: periods that passed
// are counted, not queued. Pure. All times are nanoseconds of the timer's own clock. Spec:
// POSIX.1-2017 timer_getoverrun().
#pragma once

#include <cstdint>

namespace uk::signal {

struct Period {
    std::uint64_t expiry = 0;   // when it is or was due
    std::uint64_t interval = 0; // 0: once

    // Whole periods that passed since it was due.
    [[nodiscard]] constexpr std::uint64_t missed(std::uint64_t now) const {
        return interval == 0 || now <= expiry ? 0 : (now - expiry) / interval;
    }
    // The next time after `now`; for one that is not due yet, its own.
    [[nodiscard]] constexpr std::uint64_t next(std::uint64_t now) const {
        return now < expiry ? expiry : expiry + (missed(now) + 1) * interval;
    }
    // What timer_gettime() says of one that runs: never 0.
    [[nodiscard]] constexpr std::uint64_t left(std::uint64_t now) const {
        const std::uint64_t at = interval == 0 ? expiry : next(now);
        return at > now ? at - now : 1;
    }
};

} // namespace uk::signal
