// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/capabilities.hpp - what this CPU's VT-x can do, and the controls fitted to that; boot only.
//
// Pure. One table says which bit must be 1 or 0; a capability MSR says which may be (allowed-1, high half) and which must
// be (allowed-0, low half). What cannot be had is named.
// Spec: Intel SDM vol. 3 "VM-Execution Control Fields" and following, appendix A "VMX Capability Reporting Facility".
#pragma once

#include "arch/x86_64/vmx/controls.hpp"

namespace vmx {

struct Capabilities {
    std::uint64_t basic = 0;                    // IA32_VMX_BASIC
    std::array<std::uint64_t, word_count> of{}; // by Word; the TRUE ones
    std::uint64_t ept_vpid = 0;                 // IA32_VMX_EPT_VPID_CAP
    std::uint64_t cr0_fixed0 = 0, cr4_fixed0 = 0;
    bool operator==(const Capabilities&) const = default;
};

struct Adjusted {
    ControlWords controls{};
    const char* missing = nullptr; // what this CPU does not have, by its name in the manual
};
[[nodiscard]] Adjusted adjust(const Capabilities& capabilities);

} // namespace vmx
