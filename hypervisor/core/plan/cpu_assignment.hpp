// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/cpu_assignment.hpp - bind()'s first half: which CPU belongs to which partition.
//
// Pure. Ranks go by (package, core, thread), the boot CPU first. Named sets are served first, then counts in
// the plan's order, lowest ranks first; a core is never shared by two partitions, what is left of a core
// stays parked.
#pragma once

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"

#include <span>

namespace plan {

[[nodiscard]] Status assign_cpus(const Plan& plan, std::span<const Cpu> cpus, BoundPlan& bound);

} // namespace plan
