// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/alarm.hpp - the hypervisor's one time source (rule 11) and those who wait for it: heartbeat
// watchdogs, delays before restarts, the hardware watchdog's feeding.
//
// The HPET, else the PIT, interrupts one CPU (plan::BoundPlan::time_cpu) by NMI, and only while somebody waits.
// Invariants: an interrupt that comes early, late or without cause changes nothing: due is what the TSC says.
#pragma once

#include "hypervisor/kernel/memory/address_space.hpp"

namespace hv {

struct Partition;

namespace alarm {

// Boot CPU, in the early tables, plan bound: finds and starts the devices and maps their registers.
// Refuses a machine that lacks a time source the plan needs.
[[nodiscard]] base::Status<paging::Error> start(AddressSpace& space);

// A life begins: from now on the partition's heartbeat is watched, if its plan says so. On its primary's CPU.
void watch(Partition& partition);
// Sleeps so long; on the primary's CPU, between two lives.
void wait(Partition& partition, std::uint64_t milliseconds);
// Boot CPU, when every CPU can take an NMI (in firmware's hands it could not): interrupts and hardware watchdog on.
void begin();
// The machine ends in order.
void stop_watchdog();

// This CPU was interrupted by an NMI (request_look): does what is due.
void look();
// Whether this is the time CPU, where an NMI without any other request is the alarm's.
[[nodiscard]] bool is_here();

} // namespace alarm
} // namespace hv
