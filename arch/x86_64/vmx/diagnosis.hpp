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
    std::uint64_t cr0, cr3, cr4, efer, pat, dr7, rflags, rip, pending_debug;
    std::uint32_t entry_controls, interruption, interruptibility, activity;
    std::uint32_t cs_rights, ss_rights, tr_rights, cs_limit, tr_limit, gdtr_limit, idtr_limit;
    std::uint64_t cs_base, fs_base, gs_base, tr_base, gdtr_base, idtr_base;
};

// clang-format off
template <typename Vmcs> GuestState guest_state(const Vmcs& v) {
    namespace f = field;
    return {v.read(f::guest_cr0), v.read(f::guest_cr3), v.read(f::guest_cr4), v.read(f::guest_efer),
            v.read(f::guest_pat), v.read(f::guest_dr7), v.read(f::guest_rflags),
            v.read(f::guest_rip), v.read(f::guest_pending_debug), v.read(f::entry_controls),
            v.read(f::entry_interruption), v.read(f::guest_interruptibility), v.read(f::guest_activity),
            v.read(f::guest_cs_rights), v.read(f::guest_ss_rights), v.read(f::guest_tr_rights),
            v.read(f::guest_cs_limit), v.read(f::guest_tr_limit), v.read(f::guest_gdtr_limit),
            v.read(f::guest_idtr_limit), v.read(SegmentFields<1>::base),
            v.read(SegmentFields<4>::base), v.read(SegmentFields<5>::base), v.read(SegmentFields<7>::base),
            v.read(f::guest_gdtr_base), v.read(f::guest_idtr_base)};
}

// clang-format on

// Names the first failed check; "no check of the list" where none of them fails.
[[nodiscard]] const char* failed_check(const GuestState& state, std::uint64_t cr0_fixed0,
                                       std::uint64_t cr4_fixed0);

} // namespace vmx
