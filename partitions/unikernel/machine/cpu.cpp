// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/cpu.cpp - see cpu.hpp. Thin: no decision on untrusted data.
#include "partitions/unikernel/machine/cpu.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/set_up_instructions.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/machine/trap_frame.hpp"

#include <array>
#include <cstring>

namespace uk::machine {

namespace {

struct Gate {
    std::uint16_t offset_low, selector;
    std::uint8_t ist, type;
    std::uint16_t offset_middle;
    std::uint32_t offset_high, reserved;
};
std::array<Gate, 256> gates; // every CPU's

namespace ist { // stacks of the task state, from 1
constexpr unsigned fatal = 1, nmi = 2, debug = 3;
unsigned of(unsigned vector) {
    switch (vector) {
    case 1:
        return debug;
    case 2:
        return nmi;
    case 8:
    case 18:
        return fatal;
    default:
        return 0;
    }
}
} // namespace ist

Features found;

// XSAVE image with XSTATE_BV = 0: every component in its initial configuration. FCW and MXCSR are read even
// so.
struct alignas(64) InitialVectors {
    std::array<std::byte, 576> bytes{};
    constexpr InitialVectors() {
        bytes[0] = std::byte{0x7F};
        bytes[1] = std::byte{0x03};
        bytes[24] = std::byte{0x80};
        bytes[25] = std::byte{0x1F};
    }
};
constexpr InitialVectors initial_area;

constexpr std::uint64_t xcr0_wanted = 0x7 | 0xE0; // x87, SSE, AVX, AVX-512
namespace cr4 {
constexpr std::uint64_t fxsr = 1 << 9, simd_exceptions = 1 << 10, umip = 1 << 11, xsave = 1 << 18,
                        smep = 1 << 20, smap = 1 << 21;
} // namespace cr4

Gate make_gate(std::uint64_t address, unsigned ist, unsigned privilege) {
    Gate gate{};
    gate.offset_low = static_cast<std::uint16_t>(address);
    gate.offset_middle = static_cast<std::uint16_t>(address >> 16);
    gate.offset_high = static_cast<std::uint32_t>(address >> 32);
    gate.selector = kernel_code_selector;
    gate.ist = static_cast<std::uint8_t>(ist);
    gate.type = static_cast<std::uint8_t>(0x8E | privilege << 5);
    return gate;
}

void load_descriptor_tables(Cpu& cpu) {
    const auto task = reinterpret_cast<std::uint64_t>(&cpu.task);
    cpu.segments = {0,
                    0,
                    0x00af9b000000ffff, // 0x10 kernel code
                    0x00cf93000000ffff, // 0x18 kernel data
                    0,                  // 0x20 no 32-bit user code: its SYSCALL would enter by CSTAR
                    0x00cff3000000ffff, // 0x28 user data
                    0x00affb000000ffff, // 0x30 user code
                    0,
                    (task >> 24 & 0xFF) << 56 | std::uint64_t{0x89} << 40 | (task & 0xFFFFFF) << 16 |
                        (sizeof(TaskState) - 1),
                    task >> 32};
    cpu::lgdt({static_cast<std::uint16_t>(sizeof(cpu.segments) - 1),
               reinterpret_cast<std::uint64_t>(cpu.segments.data())});
    load_segments();

    const auto end = [](auto& stack) { return reinterpret_cast<std::uint64_t>(stack.data() + stack.size()); };
    cpu.task.ist[ist::fatal - 1] = end(cpu.fatal_stack);
    cpu.task.ist[ist::nmi - 1] = end(cpu.nmi_stack);
    cpu.task.ist[ist::debug - 1] = end(cpu.debug_stack);
    cpu.task.io_map = sizeof(TaskState);
    cpu::ltr(task_selector);
    cpu::lidt({static_cast<std::uint16_t>(sizeof(gates) - 1), reinterpret_cast<std::uint64_t>(gates.data())});
}

void make_gates() {
    for (unsigned vector = 0; vector < std::size(trap_addresses); ++vector) {
        const bool from_user = vector == 3 || vector == 4;
        gates[vector] = make_gate(trap_addresses[vector], ist::of(vector), from_user ? 3 : 0);
    }
    gates[spurious_vector] = make_gate(trap_spurious_address, 0, 0);
}

} // namespace

const Features& features() {
    return found;
}

void detect_features() {
    const cpu::CpuidResult leaf1 = cpu::cpuid(1);
    found.hwcap = leaf1.edx;
    found.xsave = (leaf1.ecx & 1u << 26) != 0;
    const cpu::CpuidResult leaf7 = cpu::cpuid(0).eax >= 7 ? cpu::cpuid(7) : cpu::CpuidResult{};
    found.smap = (leaf7.ebx & 1u << 20) != 0;
    if (!found.smap)
        for (const std::uint64_t* site = smap_sites_start; site != smap_sites_end; ++site)
            // SAFETY: each site is a 3-byte STAC or CLAC; the early tables map the image writable.
            std::memcpy(reinterpret_cast<void*>(*site), "\x0f\x1f\x00", 3);

    std::uint64_t bits = cr4::fxsr | cr4::simd_exceptions;
    bits |= (leaf7.ebx & 1u << 7) != 0 ? cr4::smep : 0;
    bits |= found.smap ? cr4::smap : 0;
    bits |= (leaf7.ecx & 1u << 2) != 0 ? cr4::umip : 0;
    bits |= found.xsave ? cr4::xsave : 0;
    if (found.xsave) {
        const cpu::CpuidResult supported = cpu::cpuid(0xD);
        found.xcr0 = (std::uint64_t{supported.edx} << 32 | supported.eax) & xcr0_wanted;
    }
    // The early tables show user half addresses as supervisor pages, so SMEP and SMAP can be on from here.
    use_features(cpu::read_cr<4>() | bits);
    if (found.xsave)
        found.vector_bytes = cpu::cpuid(0xD).ebx;
}

void tell_programs_their_cpu() {
    found.tsc_aux = (cpu::cpuid(0x80000001).edx & 1u << 27) != 0;
    if (found.tsc_aux)
        cpu::wrmsr(msr::tsc_aux, this_cpu().number);
}

void use_features(std::uint64_t cr4) {
    cpu::write_cr<4>(cr4);
    if (found.xsave)
        cpu::xsetbv(0, found.xcr0);
}

void set_up_cpu(Cpu& cpu, std::uint32_t number) {
    cpu.self = &cpu;
    cpu.number = number;
    if (number == 0)
        make_gates();
    load_descriptor_tables(cpu);
    cpu::wrmsr(msr::gs_base, reinterpret_cast<std::uint64_t>(&cpu));
    cpu::wrmsr(msr::kernel_gs_base, 0);
    if (found.tsc_aux)
        cpu::wrmsr(msr::tsc_aux, number);
    cpu::wrmsr(msr::star, std::uint64_t{0x23} << 48 | std::uint64_t{kernel_code_selector} << 32);
    cpu::wrmsr(msr::lstar, reinterpret_cast<std::uint64_t>(&system_call_entry));
    cpu::wrmsr(msr::sfmask, rflags::trap | rflags::interrupt | rflags::direction | rflags::io_privilege |
                                rflags::nested_task | rflags::resume | rflags::alignment_check);
}

void take_as_lane(unsigned vector) {
    gates[vector] = make_gate(trap_addresses[lane_vector], 0, 0);
}

void set_kernel_stack(std::uint64_t top) {
    Cpu& cpu = this_cpu();
    cpu.kernel_stack = top;
    cpu.task.rsp[0] = top;
}

void load_user_bases(std::uint64_t fs_base, std::uint64_t gs_base) {
    cpu::wrmsr(msr::fs_base, fs_base);
    cpu::wrmsr(msr::kernel_gs_base, gs_base);
}

void save_vectors(std::byte* area) {
    if (found.xsave)
        vector_save_xsave(area);
    else
        vector_save_fxsave(area);
}

bool restore_vectors(const std::byte* area) {
    const auto restore = found.xsave ? &vector_restore_xsave : &vector_restore_fxsave;
    if (restore(area) == 0)
        return true;
    (void)restore(initial_vectors());
    return false;
}

const std::byte* initial_vectors() {
    return initial_area.bytes.data();
}

} // namespace uk::machine
