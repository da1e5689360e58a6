// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/start.hpp - finding the time source (alarm.hpp uses it).
#pragma once

#include "hypervisor/kernel/memory/address_space.hpp"

namespace hv::alarm {

// Boot CPU, in the early tables, plan bound: finds and starts the devices and maps their registers.
// Refuses a machine that lacks a time source the plan needs.
[[nodiscard]] base::Status<paging::Error> start(AddressSpace& space, bool needed);

} // namespace hv::alarm
