// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/time_values.hpp - struct timespec and struct timeval as programs pass them.
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/mm/user.hpp"

#include <cstdint>

namespace uk {

inline constexpr std::uint64_t second_ns = 1'000'000'000;

struct TimeSpec {
    std::int64_t seconds, nanoseconds;
};
struct TimeMicro { // struct timeval
    std::int64_t seconds, microseconds;
};

// Nanoseconds; the far future where they do not fit. inval: negative, or a fraction of a second and more.
[[nodiscard]] Result<std::uint64_t> to_ns(const TimeSpec& value);
[[nodiscard]] Result<std::uint64_t> to_ns(const TimeMicro& value);
[[nodiscard]] TimeSpec to_timespec(std::uint64_t ns);
[[nodiscard]] TimeMicro to_timeval(std::uint64_t ns);
[[nodiscard]] Result<std::uint64_t> read_timespec(mm::UserAddress from);

// When the clock of the day will show `ns`.
[[nodiscard]] Deadline realtime_to_deadline(std::uint64_t ns);

} // namespace uk
