// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/answer.hpp - waiting for a remapping unit, at boot: one that does not answer in time is an error.
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"

namespace iommu {

// A fifth of a second at 5 GHz: units answer in microseconds.
inline constexpr std::uint64_t answer_ticks = std::uint64_t{1} << 30;

template <typename Answered> [[nodiscard]] bool wait_until(Answered answered) {
    for (const std::uint64_t since = cpu::rdtsc(); cpu::rdtsc() - since < answer_ticks;)
        if (answered())
            return true;
    return answered(); // whatever held this CPU up
}

} // namespace iommu
