// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/vdso/data.hpp - the page that the kernel fills and the vDSO reads. Constant
// after start.
#pragma once

#include <cstdint>

namespace uk::vdso {

struct Data {
    std::uint64_t start_tsc;
    std::uint64_t multiplier; // nanoseconds << 32 for a tick
    std::uint64_t realtime_at_start;
};

} // namespace uk::vdso
