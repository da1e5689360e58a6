// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/kernel_tables.hpp - the kernel's half of every address space.
//
// Invariants: I1  no page is writable and executable; no alias of the kernel's text or constants is writable
//             I2  everything outside the image's text is never executable
#pragma once

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/page_table.hpp"

#include <cstdint>
#include <span>

namespace uk::mm {

using base::PhysAddr;

struct MappedRange {
    std::uint64_t start, end; // physical
    bool writable;
};
// A zeroed frame for a table, before the frame allocator works.
using TakePage = PhysAddr (*)();

// Builds tables for the image and a direct map of `ranges`, and loads them.
void build_kernel_tables(std::span<const MappedRange> ranges, TakePage take);

// A kernel stack with its guard page: its top, or 0 when out of memory.
[[nodiscard]] std::uint64_t map_kernel_stack();
void unmap_kernel_stack(std::uint64_t top);
// Before this CPU uses a stack that another may have mapped: those that others unmapped are forgotten.
inline std::uint64_t stacks_unmapped = 0;
void forget_stacks();
inline void catch_up_with_stacks(const machine::Cpu& cpu) {
    if (cpu.kernel_seen != stacks_unmapped) [[unlikely]]
        forget_stacks();
}

} // namespace uk::mm
