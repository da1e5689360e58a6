// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/issue.cpp
#include "hypervisor/core/plan/issue.hpp"

namespace plan {

const char* describe(Error error) {
    switch (error) {
    case Error::no_partitions:
        return "there is no partition";
    case Error::too_many_partitions:
        return "there are too many partitions";
    case Error::bad_name:
        return "a name is not made of a-z, 0-9 and '-', 1 to 31 characters, or is taken";
    case Error::duplicate_name:
        return "two partitions have the same name";
    case Error::no_cpus:
        return "a partition has no CPU";
    case Error::cpu_count_differs:
        return "cpus and cpuset name different numbers of CPUs";
    case Error::cpu_not_there:
        return "the machine does not have that CPU";
    case Error::cpus_overlap:
        return "two partitions name the same CPU";
    case Error::too_many_cpus:
        return "the partitions need more CPUs than there are";
    case Error::memory_misaligned:
        return "a partition's memory is not a multiple of 4 KiB";
    case Error::memory_too_small:
        return "a partition's memory is too small";
    case Error::memory_too_large:
        return "a partition's memory is too large";
    case Error::machine_memory_too_small:
        return "the partitions need more memory than the machine has";
    case Error::kernel_in_boot_area:
        return "the kernel would be loaded over the area the hypervisor writes (0xF0000 to 0x100000)";
    case Error::kernel_too_high:
        return "the kernel would be loaded beyond the partition's memory";
    case Error::root_missing:
        return "the partition has no root image";
    case Error::root_too_large:
        return "the root image is too large";
    case Error::root_misaligned:
        return "the root image is not made of whole pages";
    case Error::command_line_too_long:
        return "the command line is too long";
    case Error::startup_too_long:
        return "arguments and environment are too long";
    case Error::table_full:
        return "the plan does not fit its table";
    case Error::too_short:
        return "the plan is cut off";
    case Error::bad_magic:
        return "this is not a plan";
    case Error::unsupported_format:
        return "the plan has a format this version does not know";
    case Error::bad_size:
        return "the plan's size is not the one it says";
    case Error::reserved_not_zero:
        return "a reserved field of the plan is not zero";
    case Error::bad_value:
        return "a field of the plan has a value that is not allowed";
    case Error::bad_regions:
        return "a partition's guest memory is not laid out as it must be";
    case Error::bad_text:
        return "a text of the plan is out of place";
    case Error::bad_cpu_list:
        return "the machine's CPU list is malformed";
    case Error::not_enough_cpus:
        return "the machine has too few CPUs";
    case Error::core_shared:
        return "two partitions would share one core (SMT siblings)";
    case Error::section_missing:
        return "the plan names a section that the bundle does not have";
    case Error::section_mismatch:
        return "a section of the bundle is not what the plan says";
    case Error::bundle_outside:
        return "the bundle does not lie in usable memory";
    case Error::not_enough_memory:
        return "the machine has too little free memory";
    case Error::too_fragmented:
        return "the machine's free memory is in too many pieces";
    case Error::bad_reserved:
        return "the ranges to be left alone are malformed";
    case Error::check_cpus:
        return "the bound plan's CPUs are wrong";
    case Error::check_regions:
        return "the bound plan's memory is not what the plan says";
    case Error::check_overlap:
        return "the bound plan gives memory to two owners";
    case Error::check_place:
        return "the bound plan uses memory it must not";
    case Error::check_pool:
        return "the bound plan's frames for the hypervisor are wrong";
    }
    return "unknown error";
}

} // namespace plan
