// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/svm/offered.hpp"

#include "arch/x86_64/cpu/guarded.hpp"
#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"

namespace svm {

std::string_view missing() {
    constexpr std::uint64_t svmdis = 1u << 4;
    if (cpu::cpuid(0x80000000).eax < 0x8000000a || (cpu::cpuid(0x80000001).ecx >> 2 & 1) == 0)
        return "this CPU does not offer AMD-V (CPUID 80000001 ECX.SVM = 0). On an AMD machine switch on 'SVM "
               "Mode' (CPU or Overclocking menu of the firmware); under QEMU use -cpu max,+svm";
    if ((cpu::rdmsr(cpu::msr::vm_cr) & svmdis) != 0)
        return "the firmware has locked AMD-V off (VM_CR.SVMDIS = 1). Switch on 'SVM Mode' or 'Secure "
               "Virtual "
               "Machine' in the firmware's CPU menu and power-cycle the machine";
    const cpu::CpuidResult leaf = cpu::cpuid(0x8000000a);
    if ((leaf.edx & 1) == 0)
        return "this CPU has AMD-V but no nested paging (CPUID 8000000A EDX.NP = 0): too old, or under QEMU "
               "add +npt";
    if (leaf.ebx < 2)
        return "this CPU offers no address space identifier for a guest (CPUID 8000000A EBX)";
    return {};
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
