// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/hardening.hpp - which protections against the processor's own weaknesses a CPU needs and offers.
//
// Pure: one decision from what CPUID and the capability MSRs say; the kernel only carries it out. A CPU that does not say it
// is safe is taken as affected. What a CPU is affected by and offers nothing against is an exposure, named in the log.
// Spec: Intel SDM vol. 4 (IA32_ARCH_CAPABILITIES, IA32_CORE_CAPABILITIES, MSR_TEST_CTRL), "Speculative Execution Side
// Channel Mitigations", "Machine Check Error on Page Size Change"; AMD APM vol. 2 "Speculation Control", CPUID
// 80000008 EBX, 80000021 EAX; AMD "Transient Scheduler Attacks".
#pragma once

#include <cstdint>

namespace vcpu {

// Registers and MSRs as read; 0 where the CPU does not have them.
struct CpuModel {
    bool intel = false;
    std::uint32_t leaf7_edx = 0, leaf80000008_ebx = 0, leaf80000021_eax = 0;
    std::uint64_t architecture = 0, core = 0; // IA32_ARCH_CAPABILITIES, IA32_CORE_CAPABILITIES
};

struct Hardening {
    bool barrier = false;                // IBPB between the lives of a partition
    bool always_restricted = false;      // SPEC_CTRL.IBRS set once and for all (enhanced IBRS)
    bool automatic_restricted = false;   // EFER.AIBRSE
    bool store_bypass_control = false;   // SPEC_CTRL.SSBD may be set
    bool clear_buffers = false;          // VERW before a guest is entered
    bool flush_l1 = false;               // IA32_FLUSH_CMD before a guest is entered
    bool small_executable_pages = false; // large executable leaves can machine-check the CPU
    bool trap_split_locks = false;       // MSR_TEST_CTRL
    bool exposed_branches = false;       // predictors are shared with guests and nothing separates them
    bool exposed_buffers = false;        // MDS and its kin, no VERW
    bool exposed_l1 = false;             // L1TF, no flush
};

[[nodiscard]] Hardening harden(const CpuModel& cpu);

} // namespace vcpu
