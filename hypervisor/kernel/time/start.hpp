// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/start.hpp - finding the time source (alarm.hpp uses it).
#pragma once

#include "hypervisor/kernel/memory/address_space.hpp"
#include "hypervisor/kernel/time/alarm.hpp"

namespace hv::alarm {

// Boot CPU, in the early tables, plan bound: finds and starts the devices and maps their registers.
// Refuses a machine that lacks a time source the plan needs. `com1`: the serial line is COM1, whose interrupt is known.
[[nodiscard]] base::Status<paging::Error> start(AddressSpace& space, bool needed, bool com1);
// Boot CPU, once a partition, in their order.
void look_after(Timed& timed);
// Boot CPU, when every CPU can take an NMI (in firmware's hands it could not): interrupts and hardware watchdog on.
void begin();

} // namespace hv::alarm
