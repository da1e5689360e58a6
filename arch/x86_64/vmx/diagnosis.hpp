// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/diagnosis.hpp - why a VM entry failed: the first of the CPU's checks that the guest state does not pass.
//
// Pure: reads a VmcsAccess (vmcs.hpp). The CPU says only "invalid guest state"; a partition can bring that about, and its
// author wants to know how. The checks are those that remain possible with the controls of controls.cpp and prepare.hpp.
// Spec: Intel SDM vol. 3 "VM Entries", "Checking and Loading Guest State".
#pragma once

#include "arch/x86_64/vmx/controls.hpp"
#include "arch/x86_64/vmx/exits.hpp"

namespace vmx {

// The part of the guest state that entry checks, read out once.
struct GuestState {
    std::uint64_t cr0, cr3, cr4, efer, pat, dr7, debugctl, rflags, rip, pending_debug, link_pointer;
    std::uint32_t entry_controls, interruption, interruptibility, activity;
    std::uint32_t cs_rights, ss_rights, tr_rights, cs_limit, tr_limit, gdtr_limit, idtr_limit;
    std::uint16_t tr_selector;
    std::uint64_t cs_base, fs_base, gs_base, tr_base, gdtr_base, idtr_base;
};

template <typename Vmcs> GuestState guest_state(const Vmcs& vmcs) {
    return {vmcs.read(field::guest_cr0),           vmcs.read(field::guest_cr3),
            vmcs.read(field::guest_cr4),           vmcs.read(field::guest_efer),
            vmcs.read(field::guest_pat),           vmcs.read(field::guest_dr7),
            vmcs.read(field::guest_debugctl),      vmcs.read(field::guest_rflags),
            vmcs.read(field::guest_rip),           vmcs.read(field::guest_pending_debug),
            vmcs.read(field::link_pointer),        vmcs.read(field::entry_controls),
            vmcs.read(field::entry_interruption),  vmcs.read(field::guest_interruptibility),
            vmcs.read(field::guest_activity),      vmcs.read(field::guest_cs_rights),
            vmcs.read(field::guest_ss_rights),     vmcs.read(field::guest_tr_rights),
            vmcs.read(field::guest_cs_limit),      vmcs.read(field::guest_tr_limit),
            vmcs.read(field::guest_gdtr_limit),    vmcs.read(field::guest_idtr_limit),
            vmcs.read(SegmentFields<7>::selector), vmcs.read(SegmentFields<1>::base),
            vmcs.read(SegmentFields<4>::base),     vmcs.read(SegmentFields<5>::base),
            vmcs.read(SegmentFields<7>::base),     vmcs.read(field::guest_gdtr_base),
            vmcs.read(field::guest_idtr_base)};
}

// Names the first failed check; "no check of the list" where none of them fails.
[[nodiscard]] const char* failed_check(const GuestState& state, std::uint64_t cr0_fixed0,
                                       std::uint64_t cr4_fixed0);

} // namespace vmx
