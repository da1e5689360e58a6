// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/vdso/data.hpp - the page that the kernel fills and the vDSO reads. All but the last word constant
// after start.
#pragma once

#include <cstdint>

namespace uk::vdso {

struct Data {
    std::uint64_t start_tsc;
    std::uint64_t multiplier; // nanoseconds << 32 for a tick
    std::uint64_t realtime_at_start;
    std::uint32_t several_cpus; // getcpu asks RDTSCP ...
    std::uint32_t tsc_aux;      // ... or where that is not there the kernel
};

} // namespace uk::vdso
