// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/tables_needed.cpp - an upper bound on table frames, from extents alone.
#include "hypervisor/core/paging/table_builder.hpp"

namespace paging {
namespace {

// Slots of 1 << shift that [from, from + bytes) touches.
std::uint64_t slots(std::uint64_t from, std::uint64_t bytes, unsigned shift) {
    return bytes == 0 ? 0 : ((from + bytes - 1) >> shift) - (from >> shift) + 1;
}

// Tables at `level` for one extent: a slot needs one unless a leaf of the next level covers it whole.
std::uint64_t tables_at(const Extent& extent, unsigned level, unsigned largest) {
    const unsigned shift = level_shift(level + 1);
    const std::uint64_t touched = slots(extent.from, extent.bytes, shift);
    if (level + 1 > largest || extent.congruent_log2 < shift)
        return touched;
    const std::uint64_t mask = level_size(level + 1) - 1;
    const std::uint64_t end = extent.from + extent.bytes;
    std::uint64_t partial = (extent.from & mask) != 0 ? 1 : 0;
    if ((end & mask) != 0 && (partial == 0 || (extent.from >> shift) != (end >> shift)))
        ++partial;
    return partial < touched ? partial : touched;
}

} // namespace

std::uint64_t tables_needed(std::span<const Extent> extents, unsigned largest) {
    std::uint64_t total = 1;
    for (const Extent& extent : extents)
        for (unsigned level = 0; level < root_level; ++level)
            total += tables_at(extent, level, largest);
    return total;
}

} // namespace paging
