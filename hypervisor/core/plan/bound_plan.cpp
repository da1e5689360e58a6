// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bound_plan.cpp
#include "hypervisor/core/plan/bound_plan.hpp"

namespace plan {

std::uint32_t BoundPlan::time_cpu() const {
    constexpr std::uint32_t highest_apic_id = 254;
    for (std::uint32_t rank = 0; rank < cpus.size(); ++rank)
        if (cpus[rank].partition == no_index && cpus[rank].apic_id <= highest_apic_id)
            return rank;
    return 0;
}

} // namespace plan
