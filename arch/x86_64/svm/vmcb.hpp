// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/vmcb.hpp - the virtual machine control block as the CPU reads it.
//
// Trust:      state-save fields hold guest values: never used as an index or address without a check in core.
// Invariants: fields without a name are zero (rule 13).
// Spec: AMD APM vol. 2 appendix B "Layout of VMCB".
#pragma once

#include "hypervisor/core/vcpu/state.hpp"

#include <array>
#include <cstddef>

namespace svm {

using vcpu::Segment;

struct Vmcb {
    std::array<std::uint32_t, 6> intercepts; // 0x000
    std::array<std::uint8_t, 0x28> reserved0;
    std::uint64_t iopm_base, msrpm_base, tsc_offset; // 0x040
    std::uint32_t asid;                              // 0x058
    std::uint8_t tlb_control;                        // 0x05c
    std::array<std::uint8_t, 3> reserved1;
    std::uint64_t virtual_interrupt, interrupt_shadow;              // 0x060
    std::uint64_t exit_code, exit_info1, exit_info2, exit_int_info; // 0x070
    std::uint64_t nested_control;                                   // 0x090
    std::array<std::uint8_t, 0x10> reserved2;
    std::uint64_t event_injection, nested_cr3, lbr_control, clean_bits, next_rip; // 0x0a8
    std::array<std::uint8_t, 0x330> reserved3;
    Segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr; // 0x400
    std::array<std::uint8_t, 0x2b> reserved4;
    std::uint8_t cpl; // 0x4cb
    std::uint32_t reserved5;
    std::uint64_t efer; // 0x4d0
    std::array<std::uint8_t, 0x70> reserved6;
    std::uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip; // 0x548
    std::array<std::uint8_t, 0x58> reserved7;
    std::uint64_t rsp; // 0x5d8
    std::array<std::uint8_t, 0x18> reserved8;
    std::uint64_t rax;                             // 0x5f8
    std::array<std::uint64_t, 8> star_to_sysenter; // 0x600: switched by VMLOAD and VMSAVE
    std::uint64_t cr2;                             // 0x640
    std::array<std::uint8_t, 0x20> reserved9;
    std::uint64_t g_pat; // 0x668
    std::array<std::uint8_t, 0x990> reserved10;
};
static_assert(sizeof(Vmcb) == 4096);
static_assert(offsetof(Vmcb, iopm_base) == 0x40 && offsetof(Vmcb, asid) == 0x58 &&
              offsetof(Vmcb, tlb_control) == 0x5c);
static_assert(offsetof(Vmcb, virtual_interrupt) == 0x60 && offsetof(Vmcb, exit_code) == 0x70);
static_assert(offsetof(Vmcb, exit_int_info) == 0x88 && offsetof(Vmcb, nested_control) == 0x90);
static_assert(offsetof(Vmcb, event_injection) == 0xa8 && offsetof(Vmcb, nested_cr3) == 0xb0);
static_assert(offsetof(Vmcb, clean_bits) == 0xc0 && offsetof(Vmcb, next_rip) == 0xc8);
static_assert(offsetof(Vmcb, es) == 0x400 && offsetof(Vmcb, gdtr) == 0x460 && offsetof(Vmcb, tr) == 0x490);
static_assert(offsetof(Vmcb, cpl) == 0x4cb && offsetof(Vmcb, efer) == 0x4d0 && offsetof(Vmcb, cr4) == 0x548);
static_assert(offsetof(Vmcb, dr7) == 0x560 && offsetof(Vmcb, rip) == 0x578 && offsetof(Vmcb, rsp) == 0x5d8);
static_assert(offsetof(Vmcb, rax) == 0x5f8 && offsetof(Vmcb, cr2) == 0x640 && offsetof(Vmcb, g_pat) == 0x668);

// exit_int_info and event_injection.
inline constexpr std::uint64_t event_valid = 1u << 31, event_error_code = 1u << 11, event_exception = 3u << 8;

// tlb_control: everything, the only request every CPU knows.
inline constexpr std::uint8_t flush_all = 1;

} // namespace svm
