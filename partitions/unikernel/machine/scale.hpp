// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/scale.hpp - ticks of one clock in units of another. Pure; used by kernel and
// vDSO.
#pragma once

#include <cstdint>

namespace uk {

__extension__ using Wide = unsigned __int128;

// ticks * multiplier / 2^32.
constexpr std::uint64_t scale_ticks(std::uint64_t ticks, std::uint64_t multiplier) {
    return static_cast<std::uint64_t>(Wide{ticks} * multiplier >> 32);
}

} // namespace uk
