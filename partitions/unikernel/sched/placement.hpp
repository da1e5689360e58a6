// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/placement.hpp - where a thread that becomes ready is to run. Pure; sets of CPUs are words of 64 bits.
//
// Where it ran last if that CPU is idle, then any idle one, so that no CPU is idle while a thread waits that may run there. Else the
// shorter queue of two: where it ran last, and one that is another each time. A balance in a step each, whatever the number of CPUs.
#pragma once

#include <bit>
#include <cstdint>

namespace uk::sched {

struct Placement {
    std::uint64_t allowed; // of the CPUs that run; at least one
    std::uint64_t idle;
    std::uint32_t last; // where the thread ran
    std::uint32_t turn; // which other CPU is looked at
};

// The lowest CPU of a set that is not empty, from `first` on and then from 0.
[[nodiscard]] constexpr std::uint32_t next_of(std::uint64_t set, std::uint32_t first) {
    const std::uint64_t above = set >> (first % 64) << (first % 64);
    return static_cast<std::uint32_t>(std::countr_zero(above != 0 ? above : set));
}

// `load(cpu)`: how many run there or are ready.
template <typename Load> [[nodiscard]] constexpr std::uint32_t choose_cpu(const Placement& at, Load load) {
    const std::uint64_t idle = at.idle & at.allowed;
    if (idle != 0)
        return next_of(idle, at.last);
    const std::uint32_t here = next_of(at.allowed, at.last), there = next_of(at.allowed, at.turn);
    return load(there) < load(here) ? there : here;
}

} // namespace uk::sched
