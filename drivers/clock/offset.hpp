// SPDX-License-Identifier: Apache-2.0
// drivers/clock/offset.hpp - how far another CPU's TSC is from this one's.
//
// Pure. This CPU reads its TSC, asks, the other reads its own and answers, this CPU reads again: the other's reading was
// taken in between. The offset lies in the intersection of what several rounds say, whatever delayed each.
#pragma once

#include <algorithm>
#include <cstdint>

namespace drivers {

class TscOffset {
public:
    constexpr void add(std::uint64_t before, std::uint64_t there, std::uint64_t after) {
        least_ = std::max(least_, static_cast<std::int64_t>(there - after));
        most_ = std::min(most_, static_cast<std::int64_t>(there - before));
    }
    // Whether it is certain that the other is further ahead or behind than that.
    [[nodiscard]] constexpr bool exceeds(std::uint64_t ticks) const {
        const auto limit = static_cast<std::int64_t>(ticks);
        return least_ > limit || most_ < -limit;
    }
    // Whether it is known to within that.
    [[nodiscard]] constexpr bool is_known_to(std::uint64_t ticks) const {
        return most_ - least_ <= static_cast<std::int64_t>(ticks);
    }
    // In the middle of what is possible: how far the other is ahead.
    [[nodiscard]] constexpr std::int64_t ticks() const { return least_ + (most_ - least_) / 2; }

private:
    std::int64_t least_ = INT64_MIN / 4, most_ = INT64_MAX / 4;
};

} // namespace drivers
