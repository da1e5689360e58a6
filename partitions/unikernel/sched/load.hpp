// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/load.hpp - the load averages of 1, 5 and 15 minutes: how many threads ran or were ready at the end of every
// five seconds, each look weighing less the longer ago it is. Nothing ticks for it: whoever switches threads or asks catches up.
// Spec: proc(5) "/proc/loadavg"; the weights are Linux's, so that the figures are. Pure.
#pragma once

#include <array>
#include <cstdint>

namespace uk::sched {

class LoadAverages {
public:
    static constexpr unsigned fraction_bits = 11;
    static constexpr std::uint64_t one = std::uint64_t{1} << fraction_bits;
    static constexpr std::uint64_t period_ns = 5'000'000'000;

    [[nodiscard]] bool due(std::uint64_t now_ns) const { return now_ns >= next_ns_; }
    // Every period that has ended by `now_ns` (monotonic) and was not counted ended with `active` threads.
    void catch_up(std::uint64_t now_ns, std::uint64_t active);
    [[nodiscard]] const std::array<std::uint64_t, 3>& values() const {
        return values_;
    } // in units of 1 / `one`

private:
    std::array<std::uint64_t, 3> values_{};
    std::uint64_t next_ns_ = period_ns;
};

} // namespace uk::sched
