// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/interrupt_tables.hpp - the two interrupt tables of all CPUs, filled by set_up.cpp.
#pragma once

#include "arch/x86_64/cpu/descriptors.hpp"
#include "arch/x86_64/cpu/raw.hpp"

namespace hv {

extern cpu::Idt idt;       // exceptions are our bugs, an NMI is a kick
extern cpu::Idt drain_idt; // while a stopped partition's local APIC is emptied

inline void load_idt(const cpu::Idt& table) {
    cpu::lidt({sizeof(cpu::Idt) - 1, cpu::address_of(table).value()});
}

} // namespace hv
