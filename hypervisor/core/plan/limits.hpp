// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/limits.hpp - what of the plan (format.hpp) is needed as long as partitions run: how much there is at most, and
// what a partition's memory is filled with before each of its lives.
#pragma once

#include "hypervisor/core/plan/behaviour.hpp"

#include <cstddef>

namespace plan {

inline constexpr std::uint32_t max_partitions = 64;
inline constexpr std::uint32_t max_cpus = 64; // ranks in one plan
inline constexpr std::uint32_t max_loads = 24;
inline constexpr std::uint32_t no_section = 0xFFFFFFFF;
inline constexpr std::uint32_t max_wires_of_one = 32; // partition: CAISSON_LINK_MAX
inline constexpr std::uint32_t max_devices = 16;      // in one plan

enum class RegionKind : std::uint32_t {
    ram = 1,       // read, write, execute; backed by frames of the partition
    root_image = 2 // read, execute; the root section, in place or placed once
};

// What a partition finds in its memory when it starts, besides zeros.
struct Load {
    std::uint64_t gpa; // all of it in one RAM region
    std::uint64_t bytes;
    std::uint64_t offset;  // in the section, or in this table
    std::uint32_t section; // index in the bundle's section list; no_section: this table
    std::uint32_t reserved;
};
static_assert(sizeof(Load) == 32);

} // namespace plan
