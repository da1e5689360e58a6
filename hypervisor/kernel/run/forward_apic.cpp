// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/run/forward_apic.hpp"

#include "arch/x86_64/apic/local_apic.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/kernel/cpu/cpu.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {
namespace {

constexpr std::uint32_t first = cpu::msr::x2apic_first, last = first + 0xff;

bool is_apic(std::uint32_t index) {
    return index >= first && index <= last;
}

} // namespace

bool forward_apic(Vcpu& vcpu, const vcpu::Exit& exit) {
    const bool write = exit.kind == vcpu::ExitKind::msr_write;
    if (apic::x2apic_on() || !(write || exit.kind == vcpu::ExitKind::msr_read))
        return false;
    vcpu::Registers& registers = vcpu.core.registers;
    const auto index = static_cast<std::uint32_t>(registers.rcx);
    if (!is_apic(index) || !vcpu::passes_through(index, write, false))
        return false;
    const auto reg = static_cast<apic::Register>(index - first);
    const auto value = static_cast<std::uint32_t>(vcpu::edx_eax(registers));
    if (!write)
        vcpu::set_edx_eax(registers, apic::read(reg));
    else if (reg == apic::Register::self_ipi)
        apic::send_fixed(vcpu.cpu->apic_id, static_cast<std::uint8_t>(value));
    else
        apic::write(reg, value);
    vcpu.guest.advance(exit.kind);
    return true;
}

void write_guest_msr(std::uint32_t index, std::uint64_t value) {
    if (is_apic(index))
        apic::write(static_cast<apic::Register>(index - first), static_cast<std::uint32_t>(value));
    else
        cpu::wrmsr(index, value);
}

} // namespace hv
