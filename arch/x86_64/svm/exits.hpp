// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/exits.hpp - between the VMCB and the vendor-neutral Exit and Action of core/vcpu.
//
// Pure: works on a Vmcb in memory, no instruction of its own; tested on the host.
// Trust:      the state-save area holds guest values; they are copied, compared, never used as an index or address.
// Spec: AMD APM vol. 2 sections 15.7-15.12 (intercepts), 15.20 (event injection), appendix B table B-1, appendix C "Intercept Exit Codes".
#pragma once

#include "arch/x86_64/svm/vmcb.hpp"
#include "hypervisor/core/vcpu/decide.hpp"

namespace svm {

// Exit codes that others look at.
namespace exit_code {
inline constexpr std::uint32_t exception_first = 0x40, intr = 0x60, nmi = 0x61, rdpmc = 0x6f, cpuid = 0x72,
                               msr = 0x7c, vmmcall = 0x81, vmload = 0x82, vmsave = 0x83;
}
inline constexpr std::uint32_t vector_db = 1, vector_ac = 17, vector_mc = 18;

// Why a guest leaves, and what decide() is told. EFER.SVME is set while a guest runs, so VMLOAD, VMSAVE and the rest would
// reach host-physical memory if they did not exit (docs/hypervisor.md rule 13). INTR, HLT, RDTSC, CR and DR accesses are
// left to the guest: no exit.
struct Reason {
    std::uint32_t code;
    vcpu::ExitKind kind;
    bool intercepted = true; // else it exits by itself, or is not asked for
};
inline constexpr std::array<Reason, 32> reasons{{
    {exit_code::exception_first + vector_db, vcpu::ExitKind::exception},
    {exit_code::exception_first + vector_ac, vcpu::ExitKind::exception},
    {exit_code::exception_first + vector_mc, vcpu::ExitKind::machine_check},
    {exit_code::intr, vcpu::ExitKind::host_event, false},
    {exit_code::nmi, vcpu::ExitKind::host_event},
    {0x62, vcpu::ExitKind::host_event, false}, // SMI
    {exit_code::rdpmc, vcpu::ExitKind::counter},
    {exit_code::cpuid, vcpu::ExitKind::cpuid},
    {0x73, vcpu::ExitKind::forbidden}, // RSM
    {0x76, vcpu::ExitKind::cache},     // INVD
    {0x7a, vcpu::ExitKind::forbidden}, // INVLPGA
    {0x7b, vcpu::ExitKind::port},
    {exit_code::msr, vcpu::ExitKind::msr_read}, // or a write
    {0x7f, vcpu::ExitKind::shutdown},
    {0x80, vcpu::ExitKind::forbidden}, // VMRUN
    {exit_code::vmmcall, vcpu::ExitKind::hypercall},
    {exit_code::vmload, vcpu::ExitKind::forbidden},
    {exit_code::vmsave, vcpu::ExitKind::forbidden},
    {0x84, vcpu::ExitKind::forbidden}, // STGI
    {0x85, vcpu::ExitKind::forbidden}, // CLGI
    {0x86, vcpu::ExitKind::forbidden}, // SKINIT
    {0x89, vcpu::ExitKind::cache},     // WBINVD
    {0x8a, vcpu::ExitKind::forbidden}, // MONITOR
    {0x8b, vcpu::ExitKind::forbidden}, // MWAIT
    {0x8c, vcpu::ExitKind::forbidden}, // MWAIT with an armed monitor
    {0x8d, vcpu::ExitKind::xsetbv},
    {0x8e, vcpu::ExitKind::forbidden}, // RDPRU
    {0xa0, vcpu::ExitKind::forbidden}, // INVLPGB
    {0xa1, vcpu::ExitKind::forbidden}, // INVLPGB, illegal
    {0xa3, vcpu::ExitKind::forbidden}, // MCOMMIT
    {0xa4, vcpu::ExitKind::forbidden}, // TLBSYNC
    {0x400, vcpu::ExitKind::nested_fault, false},
}};

// Everything decide() looks at.
[[nodiscard]] vcpu::Exit decode(const Vmcb& vmcb);

// Skips the instruction that exited: by next_rip where the CPU fills it in, else by its known length (prefixed forms are
// not supported then). Ends an interrupt shadow, as any instruction does.
inline void advance(Vmcb& vmcb, vcpu::ExitKind kind, bool has_next_rip) {
    // VMMCALL and XSETBV; CPUID, RDMSR, WRMSR, WBINVD and INVD. Nothing else is ever skipped.
    const unsigned length = kind == vcpu::ExitKind::hypercall || kind == vcpu::ExitKind::xsetbv ? 3 : 2;
    if (kind == vcpu::ExitKind::port)
        vmcb.rip = vmcb.exit_info2;
    else
        vmcb.rip = has_next_rip ? vmcb.next_rip : vmcb.rip + length;
    vmcb.interrupt_shadow = 0;
}

void inject(Vmcb& vmcb, const vcpu::Action& action);

// An event that was being delivered when the guest exited is delivered again first (rule 12). False where that cannot be
// combined with what is to be injected already.
[[nodiscard]] bool deliver_again(Vmcb& vmcb);

// A VMCB that boot has set up (set_up.hpp), for a start in `state`.
void prepare(Vmcb& vmcb, const vcpu::InitialState& state);

} // namespace svm
