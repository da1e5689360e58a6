// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/waiting.cpp - see waiting.hpp.
#include "partitions/unikernel/syscalls/waiting.hpp"

namespace uk {

namespace {

struct UserTime {
    std::int64_t seconds, part;
};

} // namespace

Result<Deadline> deadline_of(mm::UserAddress address, std::int64_t parts_per_second) {
    if (address.value() == 0)
        return never;
    const auto time = CAISSON_TRY(mm::read_user<UserTime>(address));
    const bool normalized = parts_per_second == 1'000'000; // select takes any number of microseconds
    if (time.seconds < 0 || time.part < 0 || (!normalized && time.part >= parts_per_second))
        return base::Failure{Errno::inval};
    constexpr std::int64_t most_seconds = 4'000'000'000;
    const std::int64_t seconds =
        std::min(time.seconds, most_seconds) + std::min(time.part / parts_per_second, most_seconds);
    const std::int64_t nanoseconds = time.part % parts_per_second * (1'000'000'000 / parts_per_second);
    if (seconds == 0 && nanoseconds == 0)
        return Deadline{0};
    return deadline_after(static_cast<std::uint64_t>(seconds) * 1'000'000'000 +
                          static_cast<std::uint64_t>(nanoseconds));
}

void store_remaining(mm::UserAddress address, Deadline deadline, std::int64_t parts_per_second) {
    if (address.value() == 0)
        return;
    const std::uint64_t now = monotonic_ns();
    const auto left = static_cast<std::int64_t>(deadline > now ? deadline - now : 0);
    constexpr std::int64_t second = 1'000'000'000;
    (void)mm::write_user(address, UserTime{left / second, left % second / (second / parts_per_second)});
}

Deadline deadline_in_milliseconds(int milliseconds) {
    if (milliseconds < 0)
        return never;
    return milliseconds == 0 ? 0 : deadline_after(static_cast<std::uint64_t>(milliseconds) * 1'000'000);
}

} // namespace uk
