// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/state.hpp - a virtual CPU's registers, and the states it can start in.
//
// Pure.
// Trust:      nothing here is a guest's; the entry point comes from a verified ELF, the vector from
//             a mediated ICR.
// Spec:       Xen "PVH boot ABI" (docs/misc/pvh.pandoc) for the entry state; AMD APM vol. 2 14.1.3
//             and Intel SDM vol. 3 "MP initialization" for start-up IPIs; AMD APM vol. 2 15.5 for
//             the segment attribute layout.
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstdint>

namespace vcpu {

// The general registers as the entry stubs save them; RSP, RIP and RFLAGS live in the VMCB or VMCS, on SVM
// also RAX (the vendor layer copies it in and out).
struct Registers {
    std::uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15;
};
static_assert(sizeof(Registers) == 15 * 8);

// EDX:EAX, as RDMSR, WRMSR and XSETBV use them.
constexpr std::uint64_t edx_eax(const Registers& registers) {
    return registers.rdx << 32 | (registers.rax & 0xFFFFFFFF);
}
constexpr void set_edx_eax(Registers& registers, std::uint64_t value) {
    registers.rax = value & 0xFFFFFFFF;
    registers.rdx = value >> 32;
}

// `attributes` in the VMCB's packed form: type 0-3, S 4, DPL 5-6, P 7, AVL 8, L 9, D/B 10, G 11.
struct Segment {
    std::uint16_t selector = 0;
    std::uint16_t attributes = 0;
    std::uint32_t limit = 0;
    std::uint64_t base = 0;
    // The VMCS form: bits 8-11 move up to 12-15, and a segment that is not present is marked unusable (16).
    [[nodiscard]] constexpr std::uint32_t vmx_access_rights() const {
        const std::uint32_t low = attributes & 0xFFu;
        const std::uint32_t high = (attributes & 0xF00u) << 4;
        return (attributes & 0x80u) != 0 ? low | high : low | high | 1u << 16;
    }
};

inline constexpr std::uint16_t tss_busy = 0x8B; // 32-bit
inline constexpr std::uint64_t cr0_protected = 1u << 0, cr0_extension_type = 1u << 4,
                               cr0_not_write_through = 1u << 29, cr0_cache_disable = 1u << 30,
                               cr0_paging = 1u << 31;

struct InitialState {
    Registers registers{};
    std::uint64_t rip = 0, rsp = 0, rflags = 2;
    std::uint64_t cr0 = 0, cr2 = 0, cr3 = 0, cr4 = 0;
    std::uint64_t efer = 0; // without SVME: the vendor layer adds it
    std::uint64_t dr6 = 0xFFFF0FF0, dr7 = 0x400;
    std::uint64_t xcr0 = 1;
    std::uint64_t pat = 0x0007040600070406;
    Segment cs, ds, es, ss, fs, gs, tr, ldtr;
    Segment gdtr, idtr; // base and limit only
};

// What a guest's hardware state is made of besides its start registers.
struct Controls {
    base::PhysAddr io_permissions, msr_permissions, second_stage;
    std::uint64_t cr4_allowed; // VMX: the other bits exit
};

// Every data segment alike, an empty LDT.
constexpr InitialState with_data(const Segment& data) {
    InitialState state;
    state.ds = state.es = state.ss = state.fs = state.gs = data;
    state.ldtr = {.attributes = 0x82, .limit = 0xFFFF};
    return state;
}

// PVH: 32-bit protected mode, flat segments, paging off, interrupts off, EBX = GPA of hvm_start_info. The ABI leaves selectors
// open; loading any of them needs a GDT of the payload's own.
constexpr InitialState pvh_entry(std::uint32_t entry, std::uint32_t start_info) {
    constexpr std::uint16_t code = 0xC9B, data = 0xC93; // accessed; 4 GiB, 32-bit
    InitialState state = with_data({.selector = 0x10, .attributes = data, .limit = 0xFFFFFFFF});
    state.cs = {.selector = 0x8, .attributes = code, .limit = 0xFFFFFFFF};
    state.tr = {.attributes = tss_busy, .limit = 0x67};
    state.cr0 = cr0_protected | cr0_extension_type;
    state.rip = entry;
    state.registers.rbx = start_info;
    return state;
}

// After a start-up IPI: real mode at vector << 12.
constexpr InitialState sipi_start(std::uint8_t vector) {
    constexpr std::uint16_t code = 0x9B, data = 0x93;
    constexpr std::uint32_t limit = 0xFFFF;
    InitialState state = with_data({.attributes = data, .limit = limit});
    state.cs = {.selector = static_cast<std::uint16_t>(vector << 8),
                .attributes = code,
                .limit = limit,
                .base = std::uint64_t{vector} << 12};
    state.tr = {.attributes = tss_busy, .limit = limit};
    state.gdtr = {.limit = limit};
    state.idtr = {.limit = limit};
    state.cr0 = cr0_extension_type | cr0_not_write_through | cr0_cache_disable;
    return state;
}

} // namespace vcpu
