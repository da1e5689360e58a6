// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/making.hpp - what boot knows of the machine and nobody needs afterwards (machine.hpp: what stays).
#pragma once

#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/plan/bound_plan.hpp"

namespace hv {

// Firmware's tables, as read.
[[nodiscard]] acpi::Tables& tables();
// The plan on this machine, with the frame pool.
[[nodiscard]] plan::BoundPlan& bound_plan();

} // namespace hv
