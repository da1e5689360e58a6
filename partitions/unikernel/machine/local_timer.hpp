// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/local_timer.hpp - the local APIC: its one-shot timer, and interrupts to other CPUs (x2APIC
// registers).
//
// A partition's CPUs have their numbers as APIC IDs, and so have QEMU's.
// The current-count register (MSR 839h) is never read: it stops QEMU under -icount.
// Spec: AMD APM vol. 2 "Local APIC", "x2APIC Support".
#pragma once

#include <cstdint>

namespace uk::machine {

inline constexpr std::uint32_t timer_count_most = 0xFFFFFFFF;

void start_local_timer();                  // of this CPU, not yet counting
void set_timer_count(std::uint32_t count); // an interrupt when it is counted down; 0: none
void end_interrupt();                      // what the interrupt's handler owes the APIC

// To another CPU; what this one wrote before is seen there.
void send_interrupt(std::uint32_t cpu, unsigned vector);
// INIT and start-up: it begins in real mode at the address 0.
void send_start(std::uint32_t cpu);

} // namespace uk::machine
