// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/clock.hpp - the kernel's view of time: nanoseconds from the TSC.
#pragma once

#include <cstdint>

namespace uk {

// A point on the monotonic clock in nanoseconds since start; `never` waits without limit.
using Deadline = std::uint64_t;
inline constexpr Deadline never = ~std::uint64_t{0};

[[nodiscard]] std::uint64_t monotonic_ns();
[[nodiscard]] std::uint64_t realtime_ns(); // since 1970-01-01 UTC; CLOCK_REALTIME

// now + duration, `never` where it would wrap.
[[nodiscard]] Deadline deadline_after(std::uint64_t duration_ns);

// A time server says that the wall clock is off by so much. Sleeps until a time of day that have begun are not changed.
void move_realtime(std::int64_t by_ns);
inline void (*realtime_moved)() = nullptr; // for who keeps a copy of the scale

// What turns TSC ticks into time; all but `realtime_at_start` constant after start. The vDSO reads the same values from its data page.
struct TimeScale {
    std::uint64_t start_tsc = 0;         // the monotonic clock's zero
    std::uint64_t multiplier = 0;        // nanoseconds << 32 for a tick
    std::uint64_t realtime_at_start = 0; // CLOCK_REALTIME minus CLOCK_MONOTONIC
};
[[nodiscard]] const TimeScale& time_scale();

[[nodiscard]] std::uint64_t tsc_hz();

// `hz`: the TSC's rate. `wall_ns` was the time of day when the TSC read `wall_tsc`; 0: not known.
void set_up_clock(std::uint64_t hz, std::uint64_t wall_ns, std::uint64_t wall_tsc);

} // namespace uk
