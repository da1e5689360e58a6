// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/binding.hpp - the plan on this machine: bind, check, and everything the hypervisor allocates.
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstdint>

namespace hv {

// Chooses frames and CPUs (core/plan), or refuses the machine naming what is missing.
void bind_plan();

// CPU, partition and vCPU objects, second-stage tables, permission maps, the hypervisor's own tables; seals the pool.
// Returns the root of the hypervisor's tables.
[[nodiscard]] base::PhysAddr build_everything();

// Every frame that belongs to no partition and no bundle: the image with its boot stack and the whole frame pool.
[[nodiscard]] std::uint64_t hypervisor_bytes();
[[nodiscard]] std::uint64_t partition_bytes();

} // namespace hv
