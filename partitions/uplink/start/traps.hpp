// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/start/traps.hpp - segments, traps and interrupts of the uplink's one CPU, and its timer.
//
// An interrupt says only that somebody has something: whoever sleeps looks everywhere. So all of them have one handler.
// Spec: AMD APM vol. 2 "System Resources", "Exceptions and Interrupts", "Local APIC".
#pragma once

#include <cstdint>

namespace uplink {

void set_up_traps();                      // interrupts stay off
void set_up_timer(std::uint64_t apic_hz); // 0: measured

// Sleeps until an interrupt has come since the last time, or that moment of the monotonic clock.
void sleep_until(std::uint64_t at_ns);

} // namespace uplink
