// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/cpu/hardening.hpp"

#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/core/vcpu/vulnerabilities.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {
namespace {

using vcpu::Measure;

vcpu::CpuModel read_model() {
    constexpr unsigned has_architecture = 29, has_core = 30;
    const cpu::CpuidResult first = cpu::cpuid(0);
    const std::uint32_t last = cpu::cpuid(0x80000000).eax;
    vcpu::CpuModel model{.vendor = vcpu::vendor_of(first.ebx), .family = vcpu::family_of(cpu::cpuid(1).eax)};
    if (first.eax >= 7) {
        const cpu::CpuidResult leaf = cpu::cpuid(7);
        model.leaf7_edx = leaf.edx;
        model.leaf7_2_edx = leaf.eax >= 2 ? cpu::cpuid(7, 2).edx : 0;
    }
    model.leaf80000008_ebx = last >= 0x80000008 ? cpu::cpuid(0x80000008).ebx : 0;
    model.leaf80000021_eax = last >= 0x80000021 ? cpu::cpuid(0x80000021).eax : 0;
    if (model.vendor == vcpu::Vendor::intel && (model.leaf7_edx >> has_architecture & 1) != 0)
        model.architecture = cpu::rdmsr_or_0(cpu::msr::arch_capabilities);
    if (model.vendor == vcpu::Vendor::intel && (model.leaf7_edx >> has_core & 1) != 0)
        model.core = cpu::rdmsr_or_0(cpu::msr::core_capabilities);
    return model;
}

bool uses(Measure measure) {
    return machine().hardening.uses(measure);
}

} // namespace

std::uint64_t protections() {
    namespace cr4 = cpu::cr4;
    std::uint64_t bits = cr4::pae | cr4::osfxsr | cr4::osxmmexcpt;
    if ((cpu::cpuid(1).ecx >> 26 & 1) != 0)
        bits |= cr4::osxsave;
    if (cpu::cpuid(0).eax >= 7) {
        const cpu::CpuidResult leaf = cpu::cpuid(7);
        bits |= (leaf.ebx >> 7 & 1) != 0 ? cr4::smep : 0;
        bits |= (leaf.ebx >> 20 & 1) != 0 ? cr4::smap : 0;
        bits |= (leaf.ecx >> 2 & 1) != 0 ? cr4::umip : 0;
        bits |= (leaf.edx >> 20 & 1) != 0 ? cr4::cet : 0;
    }
    return bits;
}

void find_hardening() {
    vcpu::Hardening& h = machine_in_making().hardening;
    h = vcpu::harden(read_model());
    LogLine used, exposed;
    used << "processor hardening:";
    for (std::size_t i = 0; i < vcpu::measure_names.size(); ++i)
        if (h.uses(static_cast<Measure>(i)))
            used << ' ' << vcpu::measure_names[i] << ';';
    if ((protections() & cpu::cr4::cet) != 0)
        used << " indirect-branch tracking;";
    console::log(used.view());
    exposed << "EXPOSED:";
    for (std::size_t i = 0; i < vcpu::vulnerabilities.size(); ++i)
        if ((h.exposed >> i & 1) != 0)
            exposed << ' ' << vcpu::vulnerabilities[i].name << ';';
    if (h.exposed != 0)
        console::log(exposed.view());
}

bool harden_this_cpu() {
    constexpr std::uint64_t automatic_ibrs = 1u << 21, split_lock = 1u << 29, reduce = 1u << 4,
                            no_gather = 1u << 4;
    const auto change = [](std::uint32_t index, std::uint64_t set, std::uint64_t clear) {
        return cpu::try_wrmsr(index, (cpu::rdmsr_or_0(index) & ~clear) | set);
    };
    return vcpu::harden(read_model()) == machine().hardening &&
           (!uses(Measure::automatic_restricted) || change(cpu::msr::efer, automatic_ibrs, 0)) &&
           (!uses(Measure::trap_split_locks) || change(cpu::msr::test_ctrl, split_lock, 0)) &&
           (!uses(Measure::reduced_speculation) || change(cpu::msr::branch_prediction, reduce, 0)) &&
           (!uses(Measure::gather) || change(cpu::msr::mcu_opt_ctrl, 0, no_gather));
}

} // namespace hv
