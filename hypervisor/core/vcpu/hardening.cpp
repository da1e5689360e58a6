// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/hardening.cpp - see hardening.hpp.
#include "hypervisor/core/vcpu/hardening.hpp"

namespace vcpu {
namespace {

constexpr bool has(std::uint64_t word, unsigned bit) {
    return (word >> bit & 1) != 0;
}

Hardening intel(const CpuModel& cpu) {
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

Hardening amd(const CpuModel& cpu) {
    constexpr unsigned ibpb = 12, ssbd = 24, ssb_no = 26, verw_clears = 5, automatic_ibrs = 8;
    Hardening out;
    out.barrier = has(cpu.leaf80000008_ebx, ibpb);
    out.automatic_restricted = has(cpu.leaf80000021_eax, automatic_ibrs);
    out.store_bypass_control = has(cpu.leaf80000008_ebx, ssbd) && !has(cpu.leaf80000008_ebx, ssb_no);
    out.clear_buffers = has(cpu.leaf80000021_eax, verw_clears);
    out.exposed_branches = !out.barrier;
    return out;
}

} // namespace

Hardening harden(const CpuModel& cpu) {
    return cpu.intel ? intel(cpu) : amd(cpu);
}

} // namespace vcpu
