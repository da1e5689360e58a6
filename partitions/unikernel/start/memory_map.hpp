// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/memory_map.hpp - PVH start info, copied to memory of our own before anything is
// allocated.
//
// Trust:  written by the hypervisor or by QEMU; checked all the same.
// Spec:   Xen public header start_info.h, version 1.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"

#include <cstdint>
#include <optional>

namespace uk::start {

struct Region {
    std::uint64_t start = 0, end = 0; // page aligned
};

struct MemoryMap {
    base::FixedVector<Region, 16> ram;
    Region module; // byte exact
};

// Where the bytes of a physical range can be read; nullptr: not reachable.
using PhysicalWindow = const std::byte* (*)(std::uint64_t address, std::uint64_t bytes);

// Nothing where magic, counts or addresses are wrong.
[[nodiscard]] std::optional<MemoryMap> read_start_info(std::uint64_t address, PhysicalWindow window);

} // namespace uk::start
