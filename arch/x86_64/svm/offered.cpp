// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/svm/offered.hpp"

#include "arch/x86_64/cpu/boot_registers.hpp"
#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/core/vcpu/virtualization.hpp"

namespace svm {

std::string_view missing() {
    constexpr std::uint64_t svmdis = 1u << 4;
    const auto leaf = [](std::uint32_t number) { return cpu::cpuid(number); };
    if (const std::string_view none = vcpu::svm_not_offered(leaf); !none.empty())
        return none;
    if ((cpu::rdmsr(cpu::msr::vm_cr) & svmdis) != 0)
        return "the firmware has locked AMD-V off (VM_CR.SVMDIS = 1). Switch on 'SVM Mode' or 'Secure "
               "Virtual "
               "Machine' in the firmware's CPU menu and power-cycle the machine";
    return vcpu::svm_too_old(leaf);
}

bool enable(base::PhysAddr host_save_area) {
    // Firmware locks each CPU for itself (VM_CR.SVMDIS).
    if (!cpu::try_wrmsr(cpu::msr::efer, cpu::rdmsr(cpu::msr::efer) | cpu::efer::svme))
        return false;
    cpu::wrmsr(cpu::msr::vm_hsave_pa, host_save_area.value());
    // SAFETY: SVME is on; from here on NMIs wait until they are taken on purpose.
    asm volatile("clgi" : : : "memory");
    return true;
}

} // namespace svm
