// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/virt/choose.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/svm/offered.hpp"
#include "arch/x86_64/svm/set_up.hpp"
#include "arch/x86_64/virt/virt.hpp"
#include "arch/x86_64/vmx/offered.hpp"
#include "hypervisor/core/vcpu/virtualization.hpp"

#include <memory>

namespace virt {

namespace {

struct Probed {
    Features features;
    bool next_rip = false, huge_pages = false;
    vmx::ControlWords controls{};
    vmx::Capabilities capabilities;
    bool operator==(const Probed&) const = default;
};
constinit Probed chosen{};

std::string_view probe(Probed& probed) {
    if (vcpu::is_for_vmx([](std::uint32_t leaf) { return cpu::cpuid(leaf); })) {
        probed.features.vmx = true;
        const std::string_view missing = vmx::missing(probed.capabilities, probed.controls);
        probed.huge_pages = (probed.capabilities.ept_vpid >> 17 & 1) != 0;
        return missing;
    }
    const std::string_view missing = svm::missing();
    probed.next_rip = missing.empty() && (cpu::cpuid(0x8000000a).edx >> 3 & 1) != 0;
    probed.huge_pages = (cpu::cpuid(0x80000001).edx >> 26 & 1) != 0;
    return missing;
}

} // namespace

std::string_view choose() {
    const std::string_view missing = probe(chosen);
    features = chosen.features;
    return missing;
}

bool has_huge_pages() {
    return chosen.huge_pages;
}

bool same_here() {
    Probed own;
    return probe(own).empty() && own == chosen;
}

void make_guest(Guest& guest, base::PhysAddr frame) {
    if (features.vmx) {
        vmx::mark(frame, chosen.capabilities);
        guest.intel.vmcs = frame;
        return;
    }
    guest.amd.vmcb = std::construct_at(cpu::pointer_to<svm::Vmcb>(base::VirtAddr{frame.value()}));
    guest.amd.has_next_rip = chosen.next_rip;
}

void set_up_guest(Guest& guest, const Surroundings& around, const vcpu::Controls& controls) {
    if (features.vmx) {
        guest.intel.entry = {around.registers, around.requests, around.context, 0};
        return vmx::set_up(guest.intel.vmcs, chosen.controls, controls);
    }
    guest.amd.entry = {around.registers, cpu::address_of(*guest.amd.vmcb).value(), around.host_block.value(),
                       around.context};
    svm::set_up(*guest.amd.vmcb, controls);
}

bool enable(base::PhysAddr area, base::PhysAddr block) {
    if (features.vmx)
        return vmx::enable(area, chosen.capabilities);
    if (!svm::enable(area))
        return false;
    svm::svm_save_host(block.value());
    return true;
}

} // namespace virt
