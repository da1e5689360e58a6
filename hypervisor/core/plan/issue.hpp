// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/issue.hpp - why a plan cannot be made, read or bound, with the numbers a person needs.
#pragma once

#include "hypervisor/base/result.hpp"

#include <cstdint>

namespace plan {

enum class Error : std::uint8_t {
    // layout: what was asked for cannot be a plan (the tool points into the manifest)
    no_partitions,
    too_many_partitions, // needed, available
    bad_name,
    duplicate_name, // other
    no_cpus,
    cpu_count_differs, // cpus and cpuset both given and not equal: needed = cpus, available = in the set
    cpu_not_there,     // needed = the rank, available = CPUs of the machine (or of a plan)
    cpus_overlap,      // other; needed = the first shared rank
    too_many_cpus,     // needed, available; of the whole plan
    memory_misaligned, // not a multiple of 4 KiB
    memory_too_small,  // needed, available = asked for
    memory_too_large,  // needed = asked for, available = the most a partition can have
    machine_memory_too_small, // needed, available; of the whole plan
    kernel_in_boot_area,      // the ELF loads over what the hypervisor writes: needed = physical address
    kernel_too_high,          // needed = its end, available = end of RAM below 4 GiB
    root_missing,             // a unikernel payload without a root image
    root_too_large,
    root_misaligned,       // its size is not a multiple of 4 KiB
    command_line_too_long, // needed, available
    startup_too_long,      // needed, available
    table_full,            // needed, available: the caller's buffer
    // parse: the table is not one layout() writes
    too_short,
    bad_magic,
    unsupported_format,
    bad_size,
    reserved_not_zero,
    bad_value, // a field out of its set
    bad_regions,
    bad_text, // command line or startup record out of place
    // bind: this machine cannot carry the plan
    bad_cpu_list,      // not exactly one boot CPU, or two CPUs with one APIC ID: needed = APIC ID
    not_enough_cpus,   // needed, available
    core_shared,       // other; SMT siblings of one core in two partitions: needed = the rank
    section_missing,   // needed = section index, available = sections
    section_mismatch,  // wrong type, owner or size: needed = section index
    bundle_outside,    // the bundle does not lie in memory a partition could use: needed = address
    not_enough_memory, // needed, available = free bytes in all
    too_fragmented,    // free memory is there, in too many pieces
    bad_reserved,      // the caller's reserved ranges are malformed: our bug or a hostile loader
    // check: bind's own result is wrong (a bug of ours; nothing is started)
    check_cpus,
    check_regions,
    check_overlap, // needed = address
    check_place,   // memory that must not be used: needed = address
    check_pool,
};

inline constexpr std::uint32_t no_index = 0xFFFFFFFF;

struct Issue {
    Error error;
    std::uint32_t partition = no_index; // index in the request or plan
    std::uint32_t other = no_index;     // the other partition, of cpus_overlap, duplicate_name, core_shared
    std::uint64_t needed = 0;
    std::uint64_t available = 0;
};

template <typename T> using Result = base::Result<T, Issue>;
using Status = base::Status<Issue>;

// For people, without the numbers: "the partition's memory is too small".
[[nodiscard]] const char* describe(Error error);

} // namespace plan
