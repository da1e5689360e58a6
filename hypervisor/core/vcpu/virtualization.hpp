// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/virtualization.hpp - whether CPUID offers AMD-V or VT-x as the hypervisor needs it, and what a person can
// do where not. What only model-specific registers say (firmware's locks, VT-x controls) is asked in arch/x86_64.
//
// Pure: `cpuid(leaf)` answers with eax, ebx, ecx and edx.
// Spec: AMD APM vol. 2 section 15.4; Intel SDM vol. 3 "Discovering Support for VMX".
#pragma once

#include <cstdint>
#include <string_view>

namespace vcpu {

// Whether it is a CPU for VT-x: it offers it, or is Intel's.
template <typename Cpuid> [[nodiscard]] bool is_for_vmx(Cpuid cpuid) {
    constexpr std::uint32_t intel = 0x756e6547; // "Genu"
    return (cpuid(1u).ecx >> 5 & 1) != 0 || cpuid(0u).ebx == intel;
}

// What is missing, or empty.
template <typename Cpuid> [[nodiscard]] std::string_view vmx_not_offered(Cpuid cpuid) {
    if ((cpuid(1u).ecx >> 5 & 1) != 0)
        return {};
    return "this CPU does not offer Intel VT-x (CPUID 1 ECX.VMX = 0). Switch on 'Intel Virtualization "
           "Technology' or 'VMX' in the firmware's CPU menu; QEMU without KVM has none: use -cpu "
           "max,+svm";
}
template <typename Cpuid> [[nodiscard]] std::string_view svm_not_offered(Cpuid cpuid) {
    if (cpuid(0x80000000u).eax >= 0x8000000a && (cpuid(0x80000001u).ecx >> 2 & 1) != 0)
        return {};
    return "this CPU does not offer AMD-V (CPUID 80000001 ECX.SVM = 0). On an AMD machine switch on 'SVM "
           "Mode' (CPU or Overclocking menu of the firmware); under QEMU use -cpu max,+svm";
}
// Of a CPU that offers AMD-V.
template <typename Cpuid> [[nodiscard]] std::string_view svm_too_old(Cpuid cpuid) {
    const auto leaf = cpuid(0x8000000au);
    if ((leaf.edx & 1) == 0)
        return "this CPU has AMD-V but no nested paging (CPUID 8000000A EDX.NP = 0): too old, or under QEMU "
               "add +npt";
    if (leaf.ebx < 2)
        return "this CPU offers no address space identifier for a guest (CPUID 8000000A EBX)";
    return {};
}

} // namespace vcpu
