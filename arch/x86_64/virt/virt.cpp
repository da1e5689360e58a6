// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/virt/virt.hpp"

#include "arch/x86_64/cpu/instructions.hpp"

namespace virt {

const char* choose(Features& found) {
    const svm::Features svm = svm::features();
    if (const char* missing = svm::missing(svm))
        return missing;
    found.next_rip = svm.next_rip;
    found.huge_pages = (cpu::cpuid(0x80000001).edx >> 26 & 1) != 0;
    return nullptr;
}

void enable(base::PhysAddr area, base::PhysAddr block) {
    svm::enable(area);
    svm::svm_save_host(block.value());
}

} // namespace virt
