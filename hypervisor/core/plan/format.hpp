// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/format.hpp - the plan as a binary table (the bundle's `table` section).
//
// Who owns what, as sizes, counts and guest-physical layouts; host frames and APIC IDs are chosen by bind()
// at boot (docs/architecture.md, "Plan and binding"). Written by image-tools/plan layout(), read by core/plan
// parse(): nothing else builds or interprets these bytes. Little-endian, no pointers. The header (header.hpp), the partition records,
// the loads of all partitions in order, the wires, the devices, then the bytes of those loads that lie in the table itself, each from a
// multiple of 8 on.
#pragma once

#include "hypervisor/core/plan/limits.hpp"

namespace plan {

inline constexpr std::uint32_t max_regions = 3;        // RAM below and above 4 GiB, root image
inline constexpr std::uint32_t no_index = 0xFFFFFFFF;  // no partition, no section
inline constexpr std::uint32_t max_wires = 128;        // in one plan
inline constexpr std::uint32_t max_devices_of_one = 4; // partition: CAISSON_DEVICE_MAX

enum class PayloadKind : std::uint32_t {
    unikernel = 0,
    pvh = 1,    // the user's own kernel
    uplink = 2, // the kernel that has the network card for containers; no root image
};
struct Region {
    std::uint64_t gpa;   // page aligned
    std::uint64_t bytes; // multiple of the page size
    RegionKind kind;
    std::uint32_t reserved;
};
static_assert(sizeof(Region) == 24);

struct Partition {
    std::array<char, 32> name; // [a-z0-9-]{1,31}, NUL-padded
    PayloadKind payload;
    std::uint32_t cpu_count; // 1..
    std::uint32_t region_count;
    std::uint32_t reserved;
    std::uint64_t cpu_set;                   // ranks (bit 0 = boot CPU) or 0: bind chooses
    std::uint64_t memory_bytes;              // RAM: the sum of the ram regions
    std::array<Region, max_regions> regions; // ascending by gpa, no overlap
    std::uint32_t root_section;              // index in the bundle's section list, or no_section
    std::uint32_t entry;                     // 32-bit PVH entry point
    std::uint32_t first_load, load_count;    // of the plan's loads
    Behaviour behaviour;
};
static_assert(sizeof(Partition) == 208);

} // namespace plan
