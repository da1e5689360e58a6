// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/kernel_tables.hpp - the kernel's half of every address space.
//
// Invariants: I1  no page is writable and executable; no alias of the kernel's text or constants is writable
//             I2  everything outside the image's text is never executable
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstdint>
#include <span>

namespace uk::mm {

using base::PhysAddr;

namespace entry_bit {
inline constexpr std::uint64_t present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40,
                               large = 0x80,
                               counted = 1 << 9, // ours: the entry holds one use of its frame
    own = 1 << 10,                               // ours: anonymous, or a private copy; not a page of a file
    no_execute = std::uint64_t{1} << 63;
inline constexpr std::uint64_t address = 0x000ffffffffff000;
} // namespace entry_bit

struct MappedRange {
    std::uint64_t start, end; // physical
    bool writable;
};
// A zeroed frame for a table, before the frame allocator works.
using TakePage = PhysAddr (*)();

// Builds tables for the image and a direct map of `ranges`, and loads them.
void build_kernel_tables(std::span<const MappedRange> ranges, TakePage take);

// Enters the kernel's half into a new top-level table.
void share_kernel_half(std::uint64_t* top_level);
[[nodiscard]] PhysAddr kernel_root(); // a top-level table without a user half

// A kernel stack with its guard page: its top, or 0 when out of memory.
[[nodiscard]] std::uint64_t map_kernel_stack();
void unmap_kernel_stack(std::uint64_t top);

} // namespace uk::mm
