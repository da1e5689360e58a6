// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/set_up.hpp - what of a VMCB never changes: what is intercepted, and where its maps and tables lie; boot only.
//
// Pure.
// Spec: AMD APM vol. 2 15.5, 15.6, appendix B "VMCB Layout".
#pragma once

#include "arch/x86_64/svm/exits.hpp"

#if CAISSON_WEAK
#include "arch/x86_64/svm/weak_intercepts_test.hpp"
#endif

namespace svm {

// The intercept vectors of the VMCB: CR, DR, exceptions and three words of instructions and events, a bit an exit code.
// Those that exist only where CPUID offers the instruction are ignored elsewhere.
constexpr std::array<std::uint32_t, 6> make_intercepts() {
    std::array<std::uint32_t, 6> words{};
    for (const Reason& reason : reasons)
        if (reason.intercepted)
            words[reason.code / 32] |= 1u << reason.code % 32;
    return words;
}
inline constexpr std::array<std::uint32_t, 6> intercepts = make_intercepts();
static_assert(intercepts == std::array<std::uint32_t, 6>{0, 0, 0x60002, 0x9c4c8002, 0x7e7f, 0x1b},
              "host-physical memory and GIF are out of a guest's reach; interrupts and idling cost no exit");

// A zeroed VMCB.
inline void set_up(Vmcb& vmcb, const vcpu::Controls& controls) {
    constexpr std::uint32_t guest_asid = 1; // one guest a CPU; 0 is the host's
    constexpr std::uint64_t nested_paging = 1;
    vmcb.intercepts = intercepts;
#if CAISSON_WEAK
    weaken(vmcb.intercepts);
#endif
    vmcb.iopm_base = controls.io_permissions.value();
    vmcb.msrpm_base = controls.msr_permissions.value();
    vmcb.asid = guest_asid;
    vmcb.nested_control = nested_paging;
    vmcb.nested_cr3 = controls.second_stage.value();
}

} // namespace svm
