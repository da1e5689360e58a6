// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/clock.hpp - the kernel's view of time: nanoseconds from the TSC.
#pragma once

#include <cstdint>

namespace uk::sched {

// A point on the monotonic clock in nanoseconds since start; `never` waits without limit.
using Deadline = std::uint64_t;
inline constexpr Deadline never = ~std::uint64_t{0};

[[nodiscard]] std::uint64_t monotonic_ns();
[[nodiscard]] std::uint64_t realtime_ns(); // since 1970-01-01 UTC; CLOCK_REALTIME

// now + duration, `never` where it would wrap.
[[nodiscard]] Deadline deadline_after(std::uint64_t duration_ns);

} // namespace uk::sched
