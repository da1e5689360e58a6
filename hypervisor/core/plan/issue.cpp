// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/issue.cpp
#include "hypervisor/core/plan/issue.hpp"

#include <array>

namespace plan {
namespace {

struct Text {
    Error error;
    const char* text;
};
constexpr std::array texts{
    Text{Error::no_partitions, "there is no partition"},
    Text{Error::too_many_partitions, "there are too many partitions"},
    Text{Error::bad_name, "a name is not made of a-z, 0-9 and '-', 1 to 31 characters, or is taken"},
    Text{Error::duplicate_name, "two partitions have the same name"},
    Text{Error::cpus_overlap, "two partitions name the same CPU"},
    Text{Error::too_many_cpus, "the partitions need more CPUs than there are"},
    Text{Error::too_short, "the plan is cut off"},
    Text{Error::bad_magic, "this is not a plan"},
    Text{Error::unsupported_format, "the plan has a format this version does not know"},
    Text{Error::bad_size, "the plan's size is not the one it says"},
    Text{Error::reserved_not_zero, "a reserved field of the plan is not zero"},
    Text{Error::bad_value, "a field of the plan has a value that is not allowed"},
    Text{Error::bad_regions, "a partition's guest memory is not laid out as it must be"},
    Text{Error::bad_load, "what a partition is loaded with is out of place"},
    Text{Error::bad_cpu_list, "the machine's CPU list is malformed"},
    Text{Error::not_enough_cpus, "the machine has too few CPUs"},
    Text{Error::core_shared, "two partitions would share one core (SMT siblings)"},
    Text{Error::section_missing, "the plan names a section that the bundle does not have"},
    Text{Error::section_mismatch, "a section of the bundle is not what the plan says"},
    Text{Error::bundle_outside, "the bundle does not lie in usable memory"},
    Text{Error::not_enough_memory, "the machine has too little free memory"},
    Text{Error::too_fragmented, "the machine's free memory is in too many pieces"},
    Text{Error::bad_reserved, "the ranges to be left alone are malformed"},
    Text{Error::check_cpus, "the bound plan's CPUs are wrong"},
    Text{Error::check_regions, "the bound plan's memory is not what the plan says"},
    Text{Error::check_overlap, "the bound plan gives memory to two owners"},
    Text{Error::check_place, "the bound plan uses memory it must not"},
    Text{Error::check_pool, "the bound plan's frames for the hypervisor are wrong"},
};

} // namespace

const char* describe(Error error) {
    for (const Text& entry : texts)
        if (entry.error == error)
            return entry.text;
    return "unknown error";
}

} // namespace plan
