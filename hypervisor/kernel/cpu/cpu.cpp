// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/cpu/cpu.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/constant.hpp"
#include "hypervisor/kernel/cpu/interrupt_tables.hpp"

namespace hv {

CAISSON_CONSTANT_AFTER_BOOT constinit cpu::Idt idt{};
CAISSON_CONSTANT_AFTER_BOOT constinit cpu::Idt drain_idt{};

void take_guest_interrupts() {
    load_idt(drain_idt);
    virt::take_pending_interrupts();
    load_idt(idt);
}

void request(Cpu& cpu, std::uint32_t bits) {
    cpu.requests.fetch_or(bits | request_look, std::memory_order_acq_rel);
    // Before it is online it may have no stack for an NMI; it sets `online` first and looks at its requests then.
    if (!cpu.online.load(std::memory_order_seq_cst))
        return;
    cpu.kicks.fetch_add(1, std::memory_order_acq_rel);
    apic::send(cpu.apic_id, apic::nmi);
}

void halt_for_ever() {
    for (;;) {
        cpu::interrupts_off();
        cpu::halt();
    }
}

} // namespace hv

extern "C" void caisson_end_of_interrupt() {
    apic::write(apic::Register::end_of_interrupt, 0);
}
