// SPDX-License-Identifier: Apache-2.0
// image-tools/journal/vmx_entry.hpp - why a VM entry failed: the first of the CPU's checks that the guest state does not pass.
//
// The CPU says only "invalid guest state"; a partition can bring that about, and its author wants to know how. The hypervisor
// records the fields (hypervisor/core/audit/vmcs_state.hpp); the checks are those that remain possible with its controls.
// Trust: the text may be anything.
// Spec:  Intel SDM vol. 3 "VM Entries", "Checking and Loading Guest State".
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace vmx_entry {

struct GuestState {
    std::uint64_t cr0, cr3, cr4, efer, pat, dr7, rflags, rip, pending_debug;
    std::uint64_t entry_controls, interruption, interruptibility, activity;
    std::uint64_t cs_rights, ss_rights, tr_rights, cs_limit, tr_limit, gdtr_limit, idtr_limit;
    std::uint64_t cs_base, fs_base, gs_base, tr_base, gdtr_base, idtr_base;
};

// A record's value `vmcs`; nothing where it is not one.
[[nodiscard]] std::optional<GuestState> parse(std::string_view value);

// Names the first failed check; "no check of the list" where none of them fails.
[[nodiscard]] std::string_view failed_check(const GuestState& state);

} // namespace vmx_entry
