// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/virt/choose.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/svm/offered.hpp"
#include "arch/x86_64/virt/virt.hpp"
#include "arch/x86_64/vmx/offered.hpp"

namespace virt {

namespace {

std::string_view probe(Features& found) {
    constexpr std::uint32_t intel = 0x756e6547; // "Genu"
    if (vmx::offered() || cpu::cpuid(0).ebx == intel) {
        found.vmx = true;
        const std::string_view missing = vmx::missing(found.capabilities, found.controls);
        found.huge_pages = (found.capabilities.ept_vpid >> 17 & 1) != 0;
        return missing;
    }
    const std::string_view missing = svm::missing();
    found.next_rip = missing.empty() && (cpu::cpuid(0x8000000a).edx >> 3 & 1) != 0;
    found.huge_pages = (cpu::cpuid(0x80000001).edx >> 26 & 1) != 0;
    return missing;
}

} // namespace

std::string_view choose() {
    return probe(features);
}

bool same_here() {
    Features own;
    return probe(own).empty() && own == features;
}

bool enable(base::PhysAddr area, base::PhysAddr block) {
    if (features.vmx)
        return vmx::enable(area, features.capabilities);
    if (!svm::enable(area))
        return false;
    svm::svm_save_host(block.value());
    return true;
}

} // namespace virt
