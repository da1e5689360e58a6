// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/state.hpp - a virtual CPU's registers, and the states it can start in.
//
// Pure. Trust: nothing here is a guest's; the entry point comes from a verified ELF, the vector from a
// mediated ICR. Spec: Xen "PVH boot ABI" (docs/misc/pvh.pandoc) for the entry state; AMD APM vol. 2 14.1.3
// and Intel SDM vol. 3
//       "MP initialization" for start-up IPIs; AMD APM vol. 2 15.5 for the segment attribute layout.
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

// PVH: 32-bit protected mode, flat segments, paging off, interrupts off, EBX = GPA of hvm_start_info.
[[nodiscard]] InitialState pvh_entry(std::uint32_t entry, std::uint32_t start_info);

// After a start-up IPI: real mode at vector << 12.
[[nodiscard]] InitialState sipi_start(std::uint8_t vector);

} // namespace vcpu
