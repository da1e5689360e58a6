// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/answer.hpp - waiting for a remapping unit: one that does not answer in time is an error.
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"

namespace iommu {

// A fifth of a second at 5 GHz: units answer in microseconds.
inline constexpr std::uint64_t answer_ticks = std::uint64_t{1} << 30;

template <typename Answered, typename Between>
[[nodiscard]] bool wait_until(Answered answered, Between between) {
    for (const std::uint64_t since = cpu::rdtsc(); cpu::rdtsc() - since < answer_ticks; between())
        if (answered())
            return true;
    return answered(); // whatever held this CPU up
}
template <typename Answered> [[nodiscard]] bool wait_until(Answered answered) {
    return wait_until(answered, [] {});
}

} // namespace iommu
