// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/guest_layout.hpp - where things lie inside a partition (partitions/abi/boot_page.h).
//
// Pure. The one place that turns sizes into guest-physical regions.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/plan/format.hpp"
#include "hypervisor/core/plan/issue.hpp"

#include <cstdint>

namespace plan {

inline constexpr std::uint64_t min_memory = std::uint64_t{1} << 20;
inline constexpr std::uint64_t max_memory = std::uint64_t{128} << 30; // stays below CAISSON_GPA_ROOT_HIGH
inline constexpr std::uint64_t max_root_bytes = std::uint64_t{2} << 30;
inline constexpr std::uint32_t max_command_line = 1024;
// What the unikernel itself needs beyond its image before a container can run: tables, stacks, first pages. A static hello was
// seen to run with none, in what lies below the image; this is for programs that are not quite as small.
inline constexpr std::uint64_t unikernel_headroom = std::uint64_t{256} << 10;

using Regions = base::FixedVector<Region, max_regions>;

// RAM below 3 GiB, the rest from 4 GiB, the root image above them (root_bytes 0: none). All page multiples.
[[nodiscard]] Regions guest_regions(std::uint64_t memory_bytes, std::uint64_t root_bytes);

// Bytes of RAM below 4 GiB.
[[nodiscard]] std::uint64_t low_memory(std::uint64_t memory_bytes);

// Where an own kernel's module is put: page aligned, at the end of the RAM below 4 GiB.
[[nodiscard]] std::uint64_t module_gpa(std::uint64_t memory_bytes, std::uint64_t module_bytes);

// The smallest memory in which `kernel_end` (end of the ELF's last segment) and the module fit.
[[nodiscard]] std::uint64_t smallest_memory(PayloadKind payload, std::uint64_t kernel_end,
                                            std::uint64_t module_bytes);

} // namespace plan
