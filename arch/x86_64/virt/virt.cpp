// SPDX-License-Identifier: Apache-2.0
#include "arch/x86_64/virt/virt.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"
#include "arch/x86_64/vmx/diagnosis.hpp"
#include "hypervisor/base/constant.hpp"

namespace virt {

CAISSON_CONSTANT_AFTER_BOOT constinit Features features{};

void Guest::prepare(const Surroundings& around, const vcpu::Controls& controls,
                    const vcpu::InitialState& state) {
    const std::uint64_t frame = cpu::address_of(*block).value();
    svm_entry = {around.registers, frame, around.host_block.value(), around.context};
    vmx_entry = {around.registers, around.requests, around.context, 0};
    has_next_rip = features.next_rip;
    if (features.vmx)
        vmx::prepare(frame, features.capabilities, features.controls, controls, state);
    else
        svm::prepare(*block, controls, state);
}

void Guest::flush() {
    if (features.vmx)
        return vmx::flush_translations();
    block->tlb_control = svm::flush_all;
}

void Guest::advance(vcpu::ExitKind kind) {
    if (!features.vmx)
        return svm::advance(*block, kind, has_next_rip);
    vmx::Current current;
    vmx::advance(current);
}

bool Guest::deliver_again() {
    vmx::Current current;
    return features.vmx ? vmx::deliver_again(current) : svm::deliver_again(*block);
}

void Guest::set(const vcpu::Action& action) {
    if (!features.vmx) {
        if (action.kind == vcpu::ActionKind::set_efer)
            block->efer = action.value | vcpu::efer_svme;
        else
            block->g_pat = action.value;
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
        return {{block->exit_code, block->exit_info1, block->exit_info2, block->rsp, block->cr0, block->cr2,
                 block->cr3, block->cr4, block->efer, block->rflags},
                nullptr};
    namespace field = vmx::field;
    const vmx::Current now;
    const std::uint32_t reason = now.read(field::exit_reason);
    const bool no_entry = refused || (reason & vmx::exit_reason::entry_failed) != 0;
    return {{reason, now.read(field::exit_qualification),
             no_entry ? now.read(field::instruction_error) : now.read(field::guest_physical_address),
             now.read(field::guest_rsp), now.read(field::guest_cr0), cpu::read_cr<2>(),
             now.read(field::guest_cr3), now.read(field::guest_cr4), now.read(field::guest_efer),
             now.read(field::guest_rflags)},
            no_entry ? vmx::failed_check(vmx::guest_state(now), features.capabilities.cr0_fixed0,
                                         features.capabilities.cr4_fixed0)
                     : nullptr};
}

} // namespace virt
