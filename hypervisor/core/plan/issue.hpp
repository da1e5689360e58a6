// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/issue.hpp - why a plan cannot be read or bound, with the numbers a person needs.
#pragma once

#include "hypervisor/base/result.hpp"
#include "hypervisor/core/plan/format.hpp"

#include <array>
#include <cstdint>

namespace plan {

enum class Error : std::uint8_t {
    // parse: the table is not one layout() writes
    no_partitions, // or services alone
    too_many_partitions,
    bad_name,
    duplicate_name, // other
    cpus_overlap,
    too_many_cpus,
    too_short,
    bad_magic,
    unsupported_format,
    bad_size,
    reserved_not_zero,
    bad_value, // a field out of its set
    bad_regions,
    bad_load,   // out of order, outside the partition's RAM or the table
    bad_wire,   // not between two partitions that have no other, or out of place
    bad_device, // not a partition's, too many, or fields out of their sets
    // bind: this machine cannot carry the plan
    bad_cpu_list,      // not exactly one boot CPU, or two CPUs with one APIC ID: needed = APIC ID
    not_enough_cpus,   // needed, available
    core_shared,       // other; SMT siblings of one core in two partitions: needed = the rank
    section_missing,   // needed = section index, available = sections
    section_mismatch,  // wrong type, owner or size: needed = section index
    bundle_outside,    // not in usable memory above 1 MiB that nothing else uses: needed = address
    not_enough_memory, // needed, available = free bytes in all
    too_fragmented,    // free memory is there, in too many pieces
    no_place_for_pool, // no free piece where the pool may lie is long enough: needed, available = the longest
    bad_reserved,      // the caller's reserved ranges are malformed: our bug or a hostile loader
    device_in_memory,  // a device's registers lie in memory, in the image or in the bundle: needed = address
    device_overlap,    // two devices' registers lie over each other: needed = address
    // bind: a device of the plan; needed = its requester ID
    device_missing,          // needed = vendor << 16 | device, or the requester ID
    device_taken,            // other: the plan names it twice
    device_without_iommu,    // or one that cannot keep it apart (see Machine::remapping)
    device_is_bridge,        // not an endpoint
    device_shares_requester, // it is behind a bridge of conventional PCI
    device_not_isolated,     // other: its device could reach this one past the IOMMU
    device_firmware_memory,  // firmware reserves memory for it (RMRR)
    device_past_iommu,       // a virtio device, which may not use the IOMMU
    device_bar, // a BAR that firmware left unmapped, that shares a page, or lies over something else: available = address
    device_without_reset,
    device_too_large, // its BARs do not fit the guest's place for them: available = bytes
    // check: bind's own result is wrong (a bug in the hypervisor; nothing is started)
    check_cpus,
    check_regions,
    check_overlap, // needed = address
    check_place,   // memory that must not be used: needed = address
    check_pool,
    check_devices, // needed = requester ID
};

// For people, in the order of Error and without the numbers.
inline constexpr std::array descriptions{
    "there is no partition that is not there for others",
    "there are too many partitions",
    "a name is not made of a-z, 0-9 and '-', 1 to 31 characters, or is taken",
    "two partitions have the same name",
    "two partitions name the same CPU",
    "the partitions need more CPUs than there are",
    "the plan is cut off",
    "this is not a plan",
    "the plan has a format this version does not know",
    "the plan's size is not the one it says",
    "a reserved field of the plan is not zero",
    "a field of the plan has a value that is not allowed",
    "a partition's guest memory is not laid out as it must be",
    "what a partition is loaded with is out of place",
    "a wire is not between two partitions, doubles another or is out of place",
    "a device is not a partition's, or is named in a way that is not allowed",
    "the machine's CPU list is malformed",
    "the machine has too few CPUs",
    "two partitions would share one core (SMT siblings)",
    "the plan names a section that the bundle does not have",
    "a section of the bundle is not what the plan says",
    "the bundle does not lie in usable memory",
    "the machine has too little free memory",
    "the machine's free memory is in too many pieces",
    "too little free memory in one piece, where the hypervisor reaches it early, for the hypervisor itself",
    "the ranges to be left alone are malformed",
    "firmware puts a device's registers (APIC, HPET or IOMMU) into memory",
    "firmware puts the registers of two devices (APICs, HPET, IOMMUs) into one place",
    "the machine does not have a device that the plan names",
    "two devices of the plan are the same function",
    "a device needs an IOMMU (VT-d with interrupt remapping, 2 MiB pages and one PCI segment) that keeps it "
    "apart",
    "a device is a bridge",
    "a device shares its requester ID: it is behind a bridge of conventional PCI",
    "a device is not kept apart from another partition's: no ACS between them",
    "firmware reserves memory for a device (RMRR), which it would lose",
    "a virtio device may reach memory past the IOMMU",
    "a device's BAR is not mapped by firmware, shares a page with another device, or lies over something "
    "else",
    "a device cannot be reset",
    "a device's BARs do not fit",
    "the bound plan's CPUs are wrong",
    "the bound plan's memory is not what the plan says",
    "the bound plan gives memory to two owners",
    "the bound plan uses memory it must not",
    "the bound plan's frames for the hypervisor are wrong",
    "the bound plan's devices are wrong",
};
static_assert(descriptions.size() == static_cast<std::size_t>(Error::check_devices) + 1);

[[nodiscard]] constexpr const char* describe(Error error) {
    return descriptions[static_cast<std::size_t>(error)];
}

struct Issue {
    Error error;
    std::uint32_t partition = no_index; // index in the plan
    std::uint64_t needed = 0;
    std::uint64_t available = 0;
    std::uint32_t other = no_index; // the other partition, of duplicate_name, core_shared
};

template <typename T> using Result = base::Result<T, Issue>;
using Status = base::Status<Issue>;

// Success where `good`, else the issue that the rest makes up.
template <typename... Details> [[nodiscard]] Status ensure(bool good, Error error, Details... details) {
    return good ? Status{base::success} : base::Failure{Issue{error, details...}};
}

} // namespace plan
