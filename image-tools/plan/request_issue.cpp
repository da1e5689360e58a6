// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/request_issue.cpp
#include "image-tools/plan/request_issue.hpp"

namespace plan {

const char* describe(RequestError error) {
    switch (error) {
    case RequestError::no_partitions:
        return "there is no partition that is not there for others";
    case RequestError::too_many_partitions:
        return "there are too many partitions";
    case RequestError::bad_name:
        return "a name is not made of a-z, 0-9 and '-', 1 to 31 characters, or is taken";
    case RequestError::duplicate_name:
        return "two partitions have the same name";
    case RequestError::no_cpus:
        return "a partition has no CPU";
    case RequestError::cpu_count_differs:
        return "cpus and cpuset name different numbers of CPUs";
    case RequestError::cpu_not_there:
        return "the machine does not have that CPU";
    case RequestError::cpus_overlap:
        return "two partitions name the same CPU";
    case RequestError::too_many_cpus:
        return "the partitions need more CPUs than there are";
    case RequestError::memory_misaligned:
        return "a partition's memory is not a multiple of 4 KiB";
    case RequestError::memory_too_small:
        return "a partition's memory is too small";
    case RequestError::memory_too_large:
        return "a partition's memory is too large";
    case RequestError::machine_memory_too_small:
        return "the partitions need more memory than the machine has";
    case RequestError::kernel_in_boot_area:
        return "the kernel would be loaded over the area the hypervisor writes (0xF0000 to 0x100000)";
    case RequestError::kernel_too_high:
        return "the kernel would be loaded beyond the partition's memory";
    case RequestError::root_missing:
        return "the partition has no root image";
    case RequestError::root_too_large:
        return "the root image is too large";
    case RequestError::root_misaligned:
        return "the root image is not made of whole pages";
    case RequestError::command_line_too_long:
        return "the command line is too long";
    case RequestError::startup_too_long:
        return "arguments and environment are too long";
    case RequestError::bad_text:
        return "the command line holds a NUL";
    case RequestError::bad_value:
        return "a value is not allowed";
    case RequestError::too_many_loads:
        return "the kernel has too many segments";
    case RequestError::too_many_wires:
        return "there are too many wires";
    case RequestError::too_many_devices:
        return "there are too many devices";
    }
    return "unknown error";
}

} // namespace plan
