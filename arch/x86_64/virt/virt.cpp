// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/virt/virt.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/cpu/registers.hpp"
#include "hypervisor/base/constant.hpp"

namespace virt {

CAISSON_CONSTANT_AFTER_BOOT constinit Features features{};
CAISSON_CONSTANT_AFTER_BOOT constinit base::PhysAddr nmi_tables{};

void breathe() {
    if (!features.vmx && cpu::read_cr<3>() == nmi_tables.value() &&
        (cpu::rdmsr(cpu::msr::efer) & vcpu::efer_svme) != 0)
        svm::take_pending_nmi();
}

void pause() {
    cpu::pause();
    breathe();
}

void Guest::prepare(const vcpu::InitialState& state) {
    intel.entry.launched = 0;
    features.vmx ? vmx::prepare(intel.vmcs, state) : svm::prepare(*amd.vmcb, state);
}

void Guest::flush() {
    if (features.vmx)
        return vmx::flush_translations();
    amd.vmcb->tlb_control = svm::flush_all;
}

void Guest::advance(vcpu::ExitKind kind) {
    if (!features.vmx)
        return svm::advance(*amd.vmcb, kind, amd.has_next_rip);
    vmx::Current current;
    vmx::advance(current);
}

bool Guest::deliver_again() {
    vmx::Current current;
    return features.vmx ? vmx::deliver_again(current) : svm::deliver_again(*amd.vmcb);
}

void Guest::set(const vcpu::Action& action) {
    if (!features.vmx) {
        if (action.kind == vcpu::ActionKind::set_efer)
            amd.vmcb->efer = action.value | vcpu::efer_svme;
        else
            amd.vmcb->g_pat = action.value;
        return;
    }
    vmx::Current current;
    if (action.kind == vcpu::ActionKind::set_efer)
        current.write(vmx::field::guest_efer, action.value);
    else if (action.kind == vcpu::ActionKind::set_pat)
        current.write(vmx::field::guest_pat, action.value);
    else
        current.write(vmx::field::cr0_shadow, action.value);
}

Dump Guest::dump() const {
    if (!features.vmx)
        return {{amd.vmcb->exit_code, amd.vmcb->exit_info1, amd.vmcb->exit_info2, amd.vmcb->rsp,
                 amd.vmcb->cr0, amd.vmcb->cr2, amd.vmcb->cr3, amd.vmcb->cr4, amd.vmcb->efer,
                 amd.vmcb->rflags},
                false};
    namespace field = vmx::field;
    const vmx::Current now;
    const std::uint32_t reason = now.read(field::exit_reason);
    const bool no_entry = intel.refused || (reason & vmx::exit_reason::entry_failed) != 0;
    return {{reason, now.read(field::exit_qualification),
             no_entry ? now.read(field::instruction_error) : now.read(field::guest_physical_address),
             now.read(field::guest_rsp), now.read(field::guest_cr0), cpu::read_cr<2>(),
             now.read(field::guest_cr3), now.read(field::guest_cr4), now.read(field::guest_efer),
             now.read(field::guest_rflags)},
            no_entry};
}

} // namespace virt
