// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/request_issue.hpp - why what was asked for cannot be a plan, with the numbers a person needs.
#pragma once

#include "hypervisor/core/plan/issue.hpp"

#include <cstdint>

namespace plan {

enum class RequestError : std::uint8_t {
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
    kernel_in_boot_area,      // the ELF loads over what is written there: needed = physical address
    kernel_too_high,          // needed = its end, available = end of RAM below 4 GiB
    root_missing,             // a unikernel payload without a root image
    root_too_large,
    root_misaligned,       // its size is not a multiple of 4 KiB
    command_line_too_long, // needed, available
    startup_too_long,      // needed, available
    bad_text,              // a NUL in the command line
    bad_value,             // a field out of its set
    too_many_loads,        // needed, available
    too_many_wires,        // needed, available; of a partition, or of the whole plan
    too_many_devices,      // likewise
};

struct RequestIssue {
    RequestError error;
    std::uint32_t partition = no_index; // index in the request
    std::uint32_t other = no_index;     // the other partition, of cpus_overlap and duplicate_name
    std::uint64_t needed = 0;
    std::uint64_t available = 0;
};

// For people, without the numbers: "a partition's memory is too small".
[[nodiscard]] const char* describe(RequestError error);

} // namespace plan
