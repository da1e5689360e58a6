// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/issue.hpp - why a plan cannot be read or bound, with the numbers a person needs.
#pragma once

#include "hypervisor/base/result.hpp"

#include <cstdint>

namespace plan {

enum class Error : std::uint8_t {
    // parse: the table is not one layout() writes
    no_partitions,
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
    bad_load, // out of order, outside the partition's RAM or the table
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
    std::uint32_t partition = no_index; // index in the plan
    std::uint32_t other = no_index;     // the other partition, of duplicate_name, core_shared
    std::uint64_t needed = 0;
    std::uint64_t available = 0;
};

template <typename T> using Result = base::Result<T, Issue>;
using Status = base::Status<Issue>;

// For people, without the numbers: "the machine has too few CPUs".
[[nodiscard]] const char* describe(Error error);

} // namespace plan
