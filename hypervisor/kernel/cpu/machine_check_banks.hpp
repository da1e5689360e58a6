// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/cpu/machine_check_banks.hpp - this CPU's machine-check banks, as core/vcpu/machine_check.hpp reads them.
#pragma once

#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/core/vcpu/machine_check.hpp"

#include <string_view>

namespace hv::machine_check {

// How many banks there are is what MCG_CAP says, which a hypervisor below or a locked bank may not keep to.
struct Msrs {
    static std::uint64_t read(std::uint32_t index) { return cpu::rdmsr_or_0(index); }
    static void write(std::uint32_t index, std::uint64_t value) { (void)cpu::try_wrmsr(index, value); }
};

[[nodiscard]] inline bool offered() {
    constexpr std::uint32_t mce_and_mca = 1u << 7 | 1u << 14;
    return (cpu::cpuid(1).edx & mce_and_mca) == mce_and_mca;
}

// Every bank with something in it goes to visit(bank, kind).
template <typename Visit> void scan(bool clear, Visit visit) {
    const bool amd = cpu::cpuid(0).ecx == 0x444d4163; // "cAMD"
    Msrs msrs;
    (void)vcpu::scan_machine_checks(msrs, amd, clear, visit);
}

// An audit record.
void report(std::string_view severity, const vcpu::MachineCheckBank& bank, std::uint64_t count);

} // namespace hv::machine_check
