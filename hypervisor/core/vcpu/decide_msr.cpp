// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/decide_msr.cpp - RDMSR and WRMSR that exit: the mediated registers, and refusal of the
// rest.
#include "hypervisor/core/vcpu/decide_parts.hpp"

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/vcpu/lapic.hpp"

#include <array>
#include <optional>

namespace vcpu {
namespace {

constexpr std::uint64_t apic_base_address = 0xFEE00000;
constexpr std::uint64_t apic_boot_cpu = 1u << 8;
constexpr std::uint64_t apic_x2apic = 1u << 10;
constexpr std::uint64_t apic_enabled = 1u << 11;
constexpr std::uint64_t cr0_paging = std::uint64_t{1} << 31;

// Registers that read as a constant because kernels look at them without being prepared for #GP.
struct Constant {
    std::uint32_t index;
    std::uint64_t value;
};
constexpr std::array<Constant, 3> constants{{
    {msr::microcode, 0},
    {msr::misc_enable, 1}, // fast strings
    {msr::hwcr, 1u << 24}, // TscFreqSel: the TSC runs at the P0 frequency
}};

std::optional<std::uint64_t> read_value(const Vcpu& vcpu, const Exit& exit, std::uint32_t index) {
    switch (index) {
    case msr::apic_base:
        return apic_base_address | apic_enabled | apic_x2apic | (vcpu.index == 0 ? apic_boot_cpu : 0);
    case msr::pat:
        return vcpu.pat;
    case msr::efer:
        return exit.efer & ~efer_svme;
    default:
        break;
    }
    for (const Constant& constant : constants)
        if (constant.index == index)
            return constant.value;
    return std::nullopt;
}

Action write_efer(Vcpu& vcpu, const Exit& exit, std::uint64_t value) {
    if ((value & ~vcpu.policy->cpuid.efer_allowed) != 0)
        return base::weak(base::Weakness::any_efer) ? done() : refuse(vcpu, Refusal::msr_write);
    if (((value ^ exit.efer) & efer_lme) != 0 && (exit.cr0 & cr0_paging) != 0)
        return refuse(vcpu, Refusal::msr_write);
    // LMA is the processor's: what the guest writes there has no effect.
    const std::uint64_t next = (value & ~efer_lma) | (exit.efer & efer_lma);
    return {.kind = ActionKind::set_efer, .advance = true, .value = next};
}

} // namespace

Action on_msr_read(Vcpu& vcpu, const Exit& exit) {
    const auto index = static_cast<std::uint32_t>(vcpu.registers.rcx);
    if (index == msr::tsc)
        return {.kind = ActionKind::read_tsc, .advance = true};
    if (is_lapic(index))
        return lapic_read(vcpu, index);
    const auto value = read_value(vcpu, exit, index);
    if (!value)
        return refuse(vcpu, Refusal::msr_read);
    set_edx_eax(vcpu.registers, *value);
    return done();
}

Action on_msr_write(Vcpu& vcpu, const Exit& exit) {
    const auto index = static_cast<std::uint32_t>(vcpu.registers.rcx);
    const std::uint64_t value = edx_eax(vcpu.registers);
    const auto refused = [&] { return refuse(vcpu, Refusal::msr_write); };
    if (is_lapic(index))
        return lapic_write(vcpu, index, value);
    switch (index) {
    case msr::efer:
        return write_efer(vcpu, exit, value);
    case msr::pat:
        if (value != pat_reset && value != pat_linux && !base::weak(base::Weakness::any_pat))
            return refused();
        vcpu.pat = value;
        return {.kind = ActionKind::set_pat, .advance = true, .value = value};
    case msr::tsc_aux:
        if (value > UINT32_MAX)
            return refused();
        return {.kind = ActionKind::write_msr, .advance = true, .msr = index, .value = value};
    default:
        break;
    }
    if (index == msr::tsc && base::weak(base::Weakness::writable_tsc))
        return done();
    return refused();
}

} // namespace vcpu
