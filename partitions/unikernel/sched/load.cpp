// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/load.cpp - see load.hpp.
#include "partitions/unikernel/sched/load.hpp"

namespace uk::sched {

namespace {

// e to the power of -5 s by 1, 5 and 15 minutes.
constexpr std::array<std::uint64_t, 3> weights{1884, 2014, 2037};

std::uint64_t times(std::uint64_t left, std::uint64_t right) {
    return (left * right + LoadAverages::one / 2) >> LoadAverages::fraction_bits;
}

std::uint64_t power(std::uint64_t base, std::uint64_t exponent) {
    std::uint64_t result = LoadAverages::one;
    for (; exponent != 0; exponent /= 2, base = times(base, base))
        if (exponent % 2 != 0)
            result = times(result, base);
    return result;
}

} // namespace

void LoadAverages::catch_up(std::uint64_t now_ns, std::uint64_t active) {
    if (!due(now_ns))
        return;
    const std::uint64_t periods = (now_ns - next_ns_) / period_ns + 1;
    next_ns_ += periods * period_ns;
    active *= one;
    for (unsigned i = 0; i < values_.size(); ++i) {
        const std::uint64_t weight = power(weights[i], periods);
        std::uint64_t sum = values_[i] * weight + active * (one - weight);
        if (active >= values_[i])
            sum += one - 1; // rounded up while it rises, or it would never arrive
        values_[i] = sum / one;
    }
}

} // namespace uk::sched
