// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/cpu/hardening.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/kernel/console/console.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv {
namespace {

vcpu::CpuModel read_model() {
    constexpr std::uint32_t intel = 0x756e6547; // "Genu"
    constexpr unsigned has_architecture = 29, has_core = 30;
    vcpu::CpuModel model;
    const cpu::CpuidResult first = cpu::cpuid(0);
    const std::uint32_t last = cpu::cpuid(0x80000000).eax;
    model.intel = first.ebx == intel;
    model.leaf7_edx = first.eax >= 7 ? cpu::cpuid(7).edx : 0;
    model.leaf80000008_ebx = last >= 0x80000008 ? cpu::cpuid(0x80000008).ebx : 0;
    model.leaf80000021_eax = last >= 0x80000021 ? cpu::cpuid(0x80000021).eax : 0;
    if (model.intel && (model.leaf7_edx >> has_architecture & 1) != 0)
        model.architecture = cpu::rdmsr(cpu::msr::arch_capabilities);
    if (model.intel && (model.leaf7_edx >> has_core & 1) != 0)
        model.core = cpu::rdmsr(cpu::msr::core_capabilities);
    return model;
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
    const std::pair<bool, const char*> names[]{
        {h.barrier, "branch barrier"},
        {h.always_restricted, "enhanced IBRS"},
        {h.automatic_restricted, "automatic IBRS"},
        {h.clear_buffers, "VERW"},
        {h.flush_l1, "L1D flush"},
        {h.small_executable_pages, "4 KiB executable pages"},
        {h.trap_split_locks, "split-lock trap"},
        {(protections() & cpu::cr4::cet) != 0, "indirect-branch tracking"},
        {h.exposed_branches, "EXPOSED: branch predictors"},
        {h.exposed_buffers, "EXPOSED: CPU buffers (MDS)"},
        {h.exposed_l1, "EXPOSED: L1 data (L1TF)"}};
    LogLine line;
    line << "processor hardening:";
    for (const auto& [on, name] : names)
        if (on)
            line << ' ' << name << ';';
    console::log(line.view());
}

void harden_this_cpu() {
    constexpr std::uint64_t automatic_ibrs = 1u << 21, split_lock = 1u << 29;
    if (machine().hardening.automatic_restricted)
        cpu::wrmsr(cpu::msr::efer, cpu::rdmsr(cpu::msr::efer) | automatic_ibrs);
    if (machine().hardening.trap_split_locks)
        cpu::wrmsr(cpu::msr::test_ctrl, cpu::rdmsr(cpu::msr::test_ctrl) | split_lock);
}

} // namespace hv
