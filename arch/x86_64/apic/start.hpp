// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/apic/start.hpp - a CPU's local APIC as firmware left it, and switching it on; boot only.
#pragma once

#include "arch/x86_64/apic/local_apic.hpp"

namespace apic {

// Finds out in which mode firmware left this CPU's APIC. The register page of xAPIC mode is used at its physical address.
void adopt();

[[nodiscard]] bool x2apic_offered();
// Firmware asks that x2APIC mode be left alone: it is not offered where firmware did not use it itself. After adopt().
void leave_x2apic_alone();
// The page of the xAPIC registers by MSR 1B.
[[nodiscard]] base::PhysAddr register_page();

// Switches this CPU's APIC on: x2APIC where the CPU offers it; then as reset().
void enable();

// A periodic tick that nobody takes (GIF is 0); reset() ends it. While CPUs start it keeps an emulator's time slices
// short: under -icount QEMU charges the whole rest of a slice for an INIT.
void tick(std::uint32_t counts);

// Lets the timer, divided by 1 and masked, count down from its largest value; how far it has come; and stops it. Before
// enable(): QEMU cannot read the count by MSR under -icount, the register page is fine.
void start_timer();
[[nodiscard]] std::uint32_t timer_counts();

} // namespace apic
