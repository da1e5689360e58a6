// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/time_values.cpp - see time_values.hpp.
#include "partitions/unikernel/syscalls/time_values.hpp"

#include <algorithm>

namespace uk {

namespace {

Result<std::uint64_t> combine(std::int64_t seconds, std::int64_t fraction, std::int64_t unit_ns) {
    if (seconds < 0 || fraction < 0 || fraction >= static_cast<std::int64_t>(second_ns) / unit_ns)
        return base::Failure{Errno::inval};
    std::uint64_t ns = 0;
    if (__builtin_mul_overflow(static_cast<std::uint64_t>(seconds), second_ns, &ns) ||
        __builtin_add_overflow(ns, static_cast<std::uint64_t>(fraction * unit_ns), &ns))
        return ~std::uint64_t{0};
    return ns;
}

} // namespace

Result<std::uint64_t> to_ns(const TimeSpec& value) {
    return combine(value.seconds, value.nanoseconds, 1);
}
Result<std::uint64_t> to_ns(const TimeMicro& value) {
    return combine(value.seconds, value.microseconds, 1000);
}

TimeSpec to_timespec(std::uint64_t ns) {
    return {static_cast<std::int64_t>(ns / second_ns), static_cast<std::int64_t>(ns % second_ns)};
}
TimeMicro to_timeval(std::uint64_t ns) {
    return {static_cast<std::int64_t>(ns / second_ns), static_cast<std::int64_t>(ns % second_ns / 1000)};
}

Result<std::uint64_t> read_timespec(mm::UserAddress from) {
    return to_ns(CAISSON_TRY(mm::read_user<TimeSpec>(from)));
}

Deadline realtime_to_deadline(std::uint64_t ns) {
    if (ns == ~std::uint64_t{0})
        return never;
    const std::uint64_t offset = time_scale().realtime_at_start;
    return ns > offset ? ns - offset : 0;
}

} // namespace uk
