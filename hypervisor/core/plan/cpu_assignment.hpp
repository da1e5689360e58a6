// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/cpu_assignment.hpp - bind()'s first half: which CPU belongs to which partition.
//
// Pure. Ranks go by (package, core, thread), the boot CPU first. Named sets are served first, then counts in
// the plan's order, lowest ranks first; a core is shared only by partitions that are all marked so, what is left of a core
// stays parked.
#pragma once

#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"

#include <span>

namespace plan {

// Both are marked smt: shared, or they are the same.
[[nodiscard]] bool may_share_core(const Plan& plan, std::uint32_t one, std::uint32_t other);

[[nodiscard]] Status assign_cpus(const Plan& plan, std::span<const Cpu> cpus, BoundPlan& bound);

} // namespace plan
