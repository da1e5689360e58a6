// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/virt/virt.hpp - hardware virtualization as the kernel sees it, whoever made the CPU.
//
// The vendor is chosen once, by the boot CPU. What happens at every exit goes straight from the vendor's stub to its
// half of the run loop (svm_exit in hypervisor/kernel/run); everything else goes through here. No policy: that is core/vcpu.
// Trust:      a Guest's block holds guest values; they are copied into an Exit, never used as an index or address.
// Invariants: a kick is not lost (rule 10): the requests word is looked at where an NMI that comes later still counts.
#pragma once

#include "arch/x86_64/svm/exits.hpp"
#include "arch/x86_64/svm/svm.hpp"

namespace virt {

// What of this machine's virtualization others need to know.
struct Features {
    bool next_rip = false;   // SVM: the CPU says where the next instruction is
    bool huge_pages = false; // 1 GiB leaves in second-stage tables
};

// Boot CPU, once. Fills `found`, or returns what is missing and where to switch it on.
[[nodiscard]] const char* choose(Features& found);

// On each CPU: `area` and `block` are frames of its own.
void enable(base::PhysAddr area, base::PhysAddr block);

// The state at the last exit, for the record of an ending.
struct Dump {
    std::uint64_t code, info1, info2, rsp, cr0, cr2, cr3, cr4, efer, rflags;
};

using Controls = svm::Controls;

// One vCPU as the hardware holds it; touched only by the CPU it is bound to.
struct Guest {
    svm::Entry entry{};
    svm::Vmcb* vmcb = nullptr;
    bool has_next_rip = false;

    // Ready to be entered in `state`; whatever was translated before is flushed.
    void prepare(const Controls& controls, const vcpu::InitialState& state) {
        svm::prepare(*vmcb, controls, state);
    }
    // In and out of the guest until the exit handler says to leave.
    void run() const { svm::svm_run(&entry); }

    [[nodiscard]] vcpu::Exit decode() const { return svm::decode(*vmcb); }
    void advance(vcpu::ExitKind kind) { svm::advance(*vmcb, kind, has_next_rip); }
    void inject(const vcpu::Action& action) { svm::inject(*vmcb, action); }
    // Delivers again what was being delivered at the exit, if anything; false where something else is to be injected.
    [[nodiscard]] bool deliver_again() { return svm::deliver_again(*vmcb); }
    void set_efer(std::uint64_t value) { vmcb->efer = value | vcpu::efer_svme; }
    void set_pat(std::uint64_t value) { vmcb->g_pat = value; }
    [[nodiscard]] Dump dump() const {
        return {vmcb->exit_code, vmcb->exit_info1, vmcb->exit_info2, vmcb->rsp,  vmcb->cr0,
                vmcb->cr2,       vmcb->cr3,        vmcb->cr4,        vmcb->efer, vmcb->rflags};
    }
};

// Lets an NMI that ended the guest reach the host's handler.
inline void take_pending_nmi() {
    svm::take_pending_nmi();
}
// Takes every maskable interrupt that is pending, each through drain_entry.
inline void take_pending_interrupts() {
    svm::take_pending_interrupts();
}
// Sleeps until an NMI arrives.
inline void idle_until_kick() {
    svm::idle_until_kick();
}

} // namespace virt
