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

constexpr Hardening harden_intel(const CpuModel& cpu) {
    const auto has = [](std::uint64_t word, unsigned bit) { return (word >> bit & 1) != 0; };
    // IA32_ARCH_CAPABILITIES: "not affected by" and "offers".
    constexpr unsigned rdcl_no = 0, ibrs_all = 1, skip_l1_flush = 3, ssb_no = 4, page_size_change_no = 6;
    // MDS, TAA, SBDR and SSDP, FBSDP, PSDP, RFDS: what VERW is for.
    constexpr std::uint64_t buffers_no = 1u << 5 | 1u << 8 | 1u << 13 | 1u << 14 | 1u << 15 | 1u << 27;
    constexpr unsigned md_clear = 10, ibpb = 26, l1d_flush = 28, ssbd = 31, split_lock = 5;
    Hardening out;
    out.barrier = has(cpu.leaf7_edx, ibpb);
    out.always_restricted = has(cpu.architecture, ibrs_all);
    out.store_bypass_control = has(cpu.leaf7_edx, ssbd) && !has(cpu.architecture, ssb_no);
    const bool leaks_buffers = (cpu.architecture & buffers_no) != buffers_no;
    out.clear_buffers = leaks_buffers && has(cpu.leaf7_edx, md_clear);
    const bool leaks_l1 = !has(cpu.architecture, rdcl_no) && !has(cpu.architecture, skip_l1_flush);
    out.flush_l1 = leaks_l1 && has(cpu.leaf7_edx, l1d_flush);
    out.small_executable_pages = !has(cpu.architecture, page_size_change_no);
    out.trap_split_locks = has(cpu.core, split_lock);
    out.exposed_branches = !out.barrier;
    out.exposed_buffers = leaks_buffers && !out.clear_buffers;
    out.exposed_l1 = leaks_l1 && !out.flush_l1;
    return out;
}

constexpr Hardening harden_amd(const CpuModel& cpu) {
    const auto has = [](std::uint32_t word, unsigned bit) { return (word >> bit & 1) != 0; };
    constexpr unsigned ibpb = 12, ssbd = 24, ssb_no = 26, verw_clears = 5, automatic_ibrs = 8;
    Hardening out;
    out.barrier = has(cpu.leaf80000008_ebx, ibpb);
    out.automatic_restricted = has(cpu.leaf80000021_eax, automatic_ibrs);
    out.store_bypass_control = has(cpu.leaf80000008_ebx, ssbd) && !has(cpu.leaf80000008_ebx, ssb_no);
    out.clear_buffers = has(cpu.leaf80000021_eax, verw_clears);
    out.exposed_branches = !out.barrier;
    return out;
}

constexpr Hardening harden(const CpuModel& cpu) {
    return cpu.intel ? harden_intel(cpu) : harden_amd(cpu);
}

} // namespace vcpu
