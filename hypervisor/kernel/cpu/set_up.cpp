// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/set_up.cpp - a CPU as the hypervisor wants it, once.
#include "arch/x86_64/apic/start.hpp"
#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/fill_descriptors.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "arch/x86_64/virt/choose.hpp"
#include "hypervisor/base/weakness.hpp"
#include "hypervisor/kernel/cpu/area.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/cpu/hardening.hpp"
#include "hypervisor/kernel/cpu/interrupt_tables.hpp"
#include "hypervisor/kernel/panic/panic.hpp"

extern "C" {
extern const char exception_entries[], general_protection_entry[], nmi_entry[], machine_check_entry[],
    drain_entry[], drain_machine_check_entry[];
}

namespace hv {
namespace {

constexpr unsigned entry_bytes = 16; // .balign in exceptions.S
constexpr unsigned vector_nmi = 2, vector_double_fault = 8, vector_general_protection = 13,
                   vector_machine_check = 18;

std::uint64_t number(const char* label) {
    return cpu::address_of(*label).value();
}

constexpr unsigned stack_of(unsigned vector) {
    return vector == vector_nmi             ? cpu::ist_nmi
           : vector == vector_double_fault  ? cpu::ist_double_fault
           : vector == vector_machine_check ? cpu::ist_machine_check
                                            : 0;
}

const char* entry_of(unsigned vector) {
    switch (vector) {
    case vector_nmi:
        return nmi_entry;
    case vector_general_protection:
        return general_protection_entry;
    case vector_machine_check:
        return machine_check_entry;
    default:
        return vector < cpu::exception_count ? exception_entries + vector * entry_bytes : drain_entry;
    }
}

// One table for all CPUs. Before the boot CPU has its task segment, every exception uses the stack it hits.
void fill_idt(bool with_stacks) {
    for (unsigned vector = 0; vector < cpu::vector_count; ++vector) {
        const unsigned stack = with_stacks ? stack_of(vector) : 0;
        const auto gate = [stack](const char* entry) { return cpu::interrupt_gate(number(entry), stack); };
        idt[vector] = gate(entry_of(vector));
        // Nothing faults while it is loaded; QEMU delivers the vectors below 16 that a guest sets, as interrupts.
        drain_idt[vector] = vector == vector_nmi             ? idt[vector]
                            : vector == vector_machine_check ? gate(drain_machine_check_entry)
                                                             : gate(drain_entry);
    }
}

void load_tables(Cpu& cpu) {
    cpu.task.ist[cpu::ist_nmi - 1] = stack_top(cpu.index, nmi_stack);
    cpu.task.ist[cpu::ist_double_fault - 1] = stack_top(cpu.index, double_fault_stack);
    cpu.task.ist[cpu::ist_machine_check - 1] = stack_top(cpu.index, machine_check_stack);
    cpu::set_task(cpu.gdt, cpu::address_of(cpu.task).value());
    // Selectors and descriptors of code and data are those of the early table: no reload needed.
    cpu::lgdt({sizeof(cpu::Gdt) - 1, cpu::address_of(cpu.gdt).value()});
    cpu::ltr(cpu::task_selector);
    load_idt(idt);
}

} // namespace

void catch_early_exceptions() {
    fill_idt(false);
    load_idt(idt);
}

void set_up(Cpu& cpu) {
    cpu.self = &cpu;
    load_tables(cpu);
    if (cpu.index == 0)
        fill_idt(true);
    // Indirect branches reach ENDBR64 only; there are no switch tables that would need NOTRACK.
    constexpr std::uint64_t endbr_enable = 1u << 2;
    if ((protections() & cpu::cr4::cet) != 0)
        cpu::wrmsr(cpu::msr::s_cet, endbr_enable);
    cpu::write_cr<4>(protections());
    if (base::weak("unmarked_jump")) // behind the ENDBR64 of a function
        cpu::pointer_to<void()>(base::VirtAddr{cpu::address_of(halt_for_ever).value() + 4})();
    cpu::wrmsr(cpu::msr::gs_base, cpu::address_of(cpu).value());
    cpu::wrmsr(cpu::msr::pat, cpu::pat_own);
    apic::enable();
    cpu.apic_id = apic::id();
    if (!virt::enable(cpu.host_save_area, cpu.host_vmcb))
        refuse_to_start(
            "VMXON or EFER.SVME failed: the firmware has not switched on VT-x or AMD-V on every CPU");
}

} // namespace hv
