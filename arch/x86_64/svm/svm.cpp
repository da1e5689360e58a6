// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/svm/svm.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/registers.hpp"

namespace svm {
namespace {

constexpr std::uint64_t vm_cr_svmdis = 1u << 4;

} // namespace

Features features() {
    Features found;
    const std::uint32_t highest = cpu::cpuid(0x80000000).eax;
    if (highest < 0x8000000a || (cpu::cpuid(0x80000001).ecx >> 2 & 1) == 0)
        return found;
    found.svm = true;
    found.disabled_by_firmware = (cpu::rdmsr(cpu::msr::vm_cr) & vm_cr_svmdis) != 0;
    const cpu::CpuidResult leaf = cpu::cpuid(0x8000000a);
    found.asid_count = leaf.ebx;
    found.nested_paging = (leaf.edx & 1) != 0;
    found.next_rip = (leaf.edx >> 3 & 1) != 0;
    found.flush_by_asid = (leaf.edx >> 6 & 1) != 0;
    return found;
}

const char* missing(const Features& found) {
    if (!found.svm)
        return "this CPU does not offer AMD-V (CPUID 80000001 ECX.SVM = 0). On an AMD machine switch on 'SVM "
               "Mode' "
               "(CPU or Overclocking menu of the firmware); under QEMU use -cpu max,+svm";
    if (found.disabled_by_firmware)
        return "the firmware has locked AMD-V off (VM_CR.SVMDIS = 1). Switch on 'SVM Mode' or 'Secure "
               "Virtual "
               "Machine' in the firmware's CPU menu and power-cycle the machine";
    if (!found.nested_paging)
        return "this CPU has AMD-V but no nested paging (CPUID 8000000A EDX.NP = 0): too old, or under QEMU "
               "add +npt";
    if (found.asid_count < 2)
        return "this CPU offers no address space identifier for a guest (CPUID 8000000A EBX)";
    return nullptr;
}

void enable(base::PhysAddr host_save_area) {
    cpu::wrmsr(cpu::msr::efer, cpu::rdmsr(cpu::msr::efer) | cpu::efer::svme);
    cpu::wrmsr(cpu::msr::vm_hsave_pa, host_save_area.value());
    // SAFETY: SVME is on; from here on NMIs wait until they are taken on purpose.
    asm volatile("clgi" : : : "memory");
}

} // namespace svm
