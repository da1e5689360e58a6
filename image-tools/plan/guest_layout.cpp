// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/guest_layout.cpp
#include "image-tools/plan/guest_layout.hpp"

#include "hypervisor/base/address.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>

namespace plan {

namespace {

static_assert(CAISSON_GPA_RAM_HIGH + max_memory <= CAISSON_GPA_ROOT_HIGH);
static_assert(CAISSON_GPA_BOOT_END <= min_memory);

constexpr std::uint64_t whole_pages(std::uint64_t bytes) {
    return (bytes + base::page_size - 1) & ~(base::page_size - 1);
}

void add(Regions& regions, std::uint64_t gpa, std::uint64_t bytes, RegionKind kind) {
    const bool room = regions.push_back({gpa, bytes, kind, 0});
    base::expects(room, "plan: regions");
}

} // namespace

Regions guest_regions(std::uint64_t memory_bytes, std::uint64_t root_bytes) {
    Regions regions;
    const std::uint64_t low = low_memory(memory_bytes);
    const bool root_low = root_bytes <= CAISSON_GPA_ROOT_LOW_END - CAISSON_GPA_ROOT;
    add(regions, 0, low, RegionKind::ram);
    if (root_bytes != 0 && root_low)
        add(regions, CAISSON_GPA_ROOT, root_bytes, RegionKind::root_image);
    if (memory_bytes > low)
        add(regions, CAISSON_GPA_RAM_HIGH, memory_bytes - low, RegionKind::ram);
    if (root_bytes != 0 && !root_low)
        add(regions, CAISSON_GPA_ROOT_HIGH, root_bytes, RegionKind::root_image);
    return regions;
}

std::uint64_t low_memory(std::uint64_t memory_bytes) {
    return std::min<std::uint64_t>(memory_bytes, CAISSON_GPA_RAM_LOW_END);
}

std::uint64_t module_gpa(std::uint64_t memory_bytes, std::uint64_t module_bytes) {
    return low_memory(memory_bytes) - whole_pages(module_bytes);
}

std::uint64_t smallest_memory(PayloadKind payload, std::uint64_t kernel_end, std::uint64_t module_bytes) {
    const std::uint64_t headroom = payload != PayloadKind::pvh ? unikernel_headroom : 0;
    return std::max(min_memory, whole_pages(kernel_end) + headroom) + whole_pages(module_bytes);
}

} // namespace plan
