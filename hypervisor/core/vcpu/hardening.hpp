// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/hardening.hpp - what vulnerabilities.hpp decided: the protections against its own weaknesses that a CPU
// runs with, and what it stays exposed to.
#pragma once

#include <cstdint>

namespace vcpu {

enum class Measure : std::uint8_t {
    none,
    barrier,              // IBPB between the lives of a partition
    always_restricted,    // SPEC_CTRL.IBRS set once and for all (enhanced IBRS)
    automatic_restricted, // EFER.AIBRSE
    history,              // SPEC_CTRL.BHI_DIS_S
    reduced_speculation,  // BP_CFG.BP_SPEC_REDUCE
    filled_stack, // ours lies over the guest's return predictions before the first RET that could use them (run.S)
    clear_buffers,          // VERW before a guest is entered
    flush_l1,               // IA32_FLUSH_CMD before a guest is entered
    gather,                 // microcode's, not switched off
    small_executable_pages, // large executable leaves can machine-check the CPU
    store_bypass_control,   // SPEC_CTRL.SSBD where a partition asks for it
    trap_split_locks,       // MSR_TEST_CTRL
};

struct Hardening {
    std::uint32_t measures = 0, exposed = 0; // a bit a Measure, a bit a row of `vulnerabilities`

    [[nodiscard]] constexpr bool uses(Measure measure) const {
        return (measures >> static_cast<unsigned>(measure) & 1) != 0;
    }
    bool operator==(const Hardening&) const = default;
};

} // namespace vcpu
