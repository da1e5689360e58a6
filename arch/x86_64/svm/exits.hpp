// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/exits.hpp - between the VMCB and the vendor-neutral Exit and Action of core/vcpu.
//
// Pure: works on a Vmcb in memory, no instruction of its own; tested on the host.
// Trust:      the state-save area holds guest values; they are copied, compared, never used as an index or address.
// Spec: AMD APM vol. 2 sections 15.7-15.12 (intercepts), 15.20 (event injection), appendix C "Intercept Exit Codes".
#pragma once

#include "arch/x86_64/svm/vmcb.hpp"
#include "arch/x86_64/virt/controls.hpp"
#include "hypervisor/base/address.hpp"
#include "hypervisor/core/vcpu/decide.hpp"
#include "hypervisor/core/vcpu/state.hpp"

#include <cstdint>

namespace svm {

namespace exit_code {
inline constexpr std::uint64_t exception_first = 0x40, exception_last = 0x5f, intr = 0x60, nmi = 0x61,
                               smi = 0x62, rdpmc = 0x6f, cpuid = 0x72, rsm = 0x73, invd = 0x76,
                               invlpga = 0x7a, ioio = 0x7b, msr = 0x7c, shutdown = 0x7f, vmrun = 0x80,
                               vmmcall = 0x81, vmload = 0x82, vmsave = 0x83, stgi = 0x84, clgi = 0x85,
                               skinit = 0x86, wbinvd = 0x89, monitor = 0x8a, mwait = 0x8b, mwait_armed = 0x8c,
                               xsetbv = 0x8d, rdpru = 0x8e, invlpgb = 0xa0, invlpgb_illegal = 0xa1,
                               mcommit = 0xa3, tlbsync = 0xa4, nested_page_fault = 0x400;
}

// Everything decide() looks at.
[[nodiscard]] vcpu::Exit decode(const Vmcb& vmcb);

// Length of the instruction behind an exit of that kind, without prefixes; 0 where it is never skipped by length.
constexpr unsigned length_of(vcpu::ExitKind kind) {
    switch (kind) {
    case vcpu::ExitKind::cpuid:
    case vcpu::ExitKind::msr_read:
    case vcpu::ExitKind::msr_write:
    case vcpu::ExitKind::counter:
    case vcpu::ExitKind::cache:
        return 2;
    case vcpu::ExitKind::hypercall:
    case vcpu::ExitKind::xsetbv:
        return 3;
    case vcpu::ExitKind::port:
    case vcpu::ExitKind::forbidden:
    case vcpu::ExitKind::bus_lock:
    case vcpu::ExitKind::exception:
    case vcpu::ExitKind::control_register:
    case vcpu::ExitKind::machine_check:
    case vcpu::ExitKind::host_event:
    case vcpu::ExitKind::nested_fault:
    case vcpu::ExitKind::shutdown:
    case vcpu::ExitKind::invalid:
    case vcpu::ExitKind::unexpected:
        break;
    }
    return 0;
}

// Skips the instruction that exited: by next_rip where the CPU fills it in, else by its known length (prefixed forms are
// not supported then). Ends an interrupt shadow, as any instruction does.
inline void advance(Vmcb& vmcb, vcpu::ExitKind kind, bool has_next_rip) {
    if (kind == vcpu::ExitKind::port)
        vmcb.rip = vmcb.exit_info2;
    else
        vmcb.rip = has_next_rip ? vmcb.next_rip : vmcb.rip + length_of(kind);
    vmcb.interrupt_shadow = 0;
}

void inject(Vmcb& vmcb, const vcpu::Action& action);

// An event that was being delivered when the guest exited is delivered again first (rule 12). False where that cannot be
// combined with what is to be injected already.
[[nodiscard]] bool deliver_again(Vmcb& vmcb);

// A zeroed VMCB for a start in `state`.
void prepare(Vmcb& vmcb, const virt::Controls& controls, const vcpu::InitialState& state);

} // namespace svm
