// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/virt/virt.hpp - hardware virtualization as the kernel sees it, whoever made the CPU.
//
// The vendor is chosen once, by the boot CPU. What happens at every exit goes straight from the vendor's stub to its
// half of the run loop (svm_exit, vmx_exit in hypervisor/kernel/run); all else goes through here. No policy: that is
// core/vcpu. On VMX a Guest's VMCS is the current one of its CPU.
// Trust:      a Guest's block holds guest values; they are copied into an Exit, never used as an index or address.
// Invariants: a kick is not lost (rule 10): the requests word is looked at where an NMI that comes later still counts.
#pragma once

#include "arch/x86_64/svm/exits.hpp"
#include "arch/x86_64/svm/svm.hpp"
#include "arch/x86_64/vmx/vmx.hpp"
#include "hypervisor/core/paging/live_table.hpp"

#include <string_view>

namespace virt {

// What of this machine's virtualization others need to know. Written by choose(), constant afterwards.
struct Features {
    bool vmx = false; // Intel VT-x; else AMD-V
    bool operator==(const Features&) const = default;
};
extern Features features;

// The state at the last exit, for the record of an ending.
struct Dump {
    std::array<std::uint64_t, 10> values;
    bool no_entry; // VMX: the CPU refused to enter, which vmx::Current::state_text() explains
};

inline constexpr std::array<std::string_view, 10> dump_names{"code", "info1", "info2", "rsp",  "cr0",
                                                             "cr2",  "cr3",   "cr4",   "efer", "rflags"};

// One vCPU as AMD-V holds it, or as VT-x does.
struct SvmGuest {
    svm::Entry entry{};
    svm::Vmcb* vmcb = nullptr;
    bool has_next_rip = false; // the CPU says where the next instruction is
};
struct VmxGuest {
    vmx::Entry entry{};
    base::PhysAddr vmcs;
    bool refused = false; // what run() said last
};

// One vCPU as the hardware holds it; touched only by the CPU it is bound to. Only the vendor's half is ever used
// (Features::vmx); make_guest() and set_up_guest() fill it.
struct Guest {
    SvmGuest amd;
    VmxGuest intel;

    // Ready to be entered in `state`.
    void prepare(const vcpu::InitialState& state);
    // Drops every translation of guests that this CPU has cached, at the latest when run() enters.
    void flush();
    // In and out of the guest until the exit handler says to leave. False: the CPU refused to enter.
    [[nodiscard]] bool run(const paging::Flushed&) {
        if (!features.vmx)
            return svm::svm_run(&amd.entry);
        intel.refused = !vmx::vmx_run(&intel.entry);
        return !intel.refused;
    }

    [[nodiscard]] vcpu::Exit decode() const {
        return features.vmx ? vmx::decode(vmx::Current{}, *intel.entry.registers) : svm::decode(*amd.vmcb);
    }
    // Lets an NMI that ended the guest reach the host's handler.
    void take_nmi() const {
        if (features.vmx ? vmx::ended_by_nmi(vmx::Current{}) : amd.vmcb->exit_code == svm::exit_code::nmi)
            features.vmx ? vmx::vmx_take_nmi() : svm::take_pending_nmi();
    }
    void advance(vcpu::ExitKind kind);
    void inject(const vcpu::Action& action) {
        return features.vmx ? vmx::inject(action) : svm::inject(*amd.vmcb, action);
    }
    // Delivers again what was being delivered at the exit, if anything; false where something else is to be injected.
    [[nodiscard]] bool deliver_again();
    // EFER, PAT or, on VMX, the shadow of CR0, as the action says.
    void set(const vcpu::Action& action);
    [[nodiscard]] Dump dump() const;
};

// Takes every maskable interrupt that is pending, each through drain_entry.
inline void take_pending_interrupts() {
    features.vmx ? vmx::vmx_take_interrupts() : svm::take_pending_interrupts();
}
// Lets a pending NMI in; on VMX nothing holds it back.
inline void take_pending_nmi() {
    if (!features.vmx)
        svm::take_pending_nmi();
}
// The tables in which an NMI finds its stack and its handler its data: the hypervisor's own.
extern base::PhysAddr nmi_tables;
// Between two pieces of long work: whatever GIF = 0 holds back comes in (on AMD-V; NMIs, SMIs, machine checks). Nothing on a
// CPU that is not so far yet.
void breathe();
// A moment of a wait, likewise.
void pause();
// Sleeps until an NMI arrives. VMX: unless bit 0 of `requests` is set.
inline void idle_until_kick(const std::atomic<std::uint32_t>& requests) {
    features.vmx ? vmx::vmx_idle(&requests) : svm::idle_until_kick();
}

} // namespace virt
