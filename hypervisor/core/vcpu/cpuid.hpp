// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/cpuid.hpp - what CPUID tells a partition: deny by default, bit by bit.
//
// Pure. The table is built once a partition from the machine's own leaves; an exit is an index and
// a copy. Bits that follow guest state (OSXSAVE, OSPKE, XSAVE sizes, APIC ID, topology) are filled
// in at the exit.
// Trust:      the leaves come from the processor; leaf and subleaf numbers from the guest (any
//             value gives an answer).
// Invariants: I1  a bit that no mask names reads 0; a leaf outside the table reads all zero
//             I2  never offered: VMX, SVM, LA57, WAITPKG, MONITOR, SGX, PT, PMU, IBS, SEV, TDX,
//                 MTRR, MCA, XSS states, PCONFIG, ENQCMD, TSC_ADJUST, speculation-control MSRs
// Spec:       Intel SDM vol. 2 "CPUID"; AMD APM vol. 3 appendix E; docs/hypervisor.md rule 17.
#pragma once

#include "hypervisor/core/vcpu/state.hpp"
#include "partitions/abi/hypercall.h"

#include <array>
#include <cstdint>

namespace vcpu {

struct CpuidLeaf {
    std::uint32_t eax = 0, ebx = 0, ecx = 0, edx = 0;
    bool operator==(const CpuidLeaf&) const = default;
};

inline constexpr std::uint32_t cpuid_leaves = 0x21; // 0 .. 0x20 of each range
inline constexpr std::uint32_t cpuid_extended = 0x80000000;
inline constexpr std::uint32_t cpuid_kvm = 0x40000000; // signature that stock Linux wants for x2APIC
inline constexpr std::uint32_t cpuid_caches = 8;       // subleaves of leaf 4
inline constexpr std::uint32_t xstate_components = 10; // 0-9: x87, SSE, AVX, MPX, AVX-512, PT, PKRU

struct CpuidTable {
    std::array<CpuidLeaf, cpuid_leaves> basic{};
    std::array<CpuidLeaf, cpuid_leaves> extended{};
    std::array<CpuidLeaf, cpuid_caches> caches{};      // leaf 4
    CpuidLeaf features1{};                             // leaf 7 subleaf 1
    std::array<CpuidLeaf, xstate_components> xstate{}; // leaf 0xD; 0 and 1 without the sizes
    std::uint64_t xcr0_allowed = 0;                    // no XSETBV at all without XSAVE
    std::uint64_t cr4_allowed = 0;                     // bits a guest may set, from the features offered
    std::uint64_t efer_allowed = 0;                    // likewise
    std::uint32_t vcpu_count = 1;
    std::uint32_t apic_id_bits = 0; // log2 of vcpu_count, rounded up
};

// The guest state that answers depend on. As small as two registers: an object on the stack would cost the short cut a
// stack canary.
struct CpuidState {
    std::uint32_t apic_id;
    std::uint32_t cr4; // the low half; no bit above it is looked at
    std::uint64_t xcr0;
};

// Leaves whose answer is more than a copy: 1, 4, 7, 0xB, 0xD.
inline constexpr std::uint64_t cpuid_dynamic = 1u << 1 | 1u << 4 | 1u << 7 | 1u << 0xB | 1u << 0xD;

// Any leaf. Slow path; answer_cpuid is what an exit calls.
[[nodiscard]] CpuidLeaf lookup_cpuid(const CpuidTable& table, std::uint32_t leaf, std::uint32_t subleaf,
                                     CpuidState state);

inline void put_leaf(Registers& registers, const CpuidLeaf& leaf) {
    registers.rax = leaf.eax;
    registers.rbx = leaf.ebx;
    registers.rcx = leaf.ecx;
    registers.rdx = leaf.edx;
}
// Answers the CPUID that `registers` asks for where that is a copy, as for most leaves; the caller skips the instruction.
// False: nothing has changed, answer_cpuid() knows more.
[[gnu::always_inline]] inline bool copy_cpuid(const CpuidTable& table, Registers& registers) {
    const auto leaf = static_cast<std::uint32_t>(registers.rax);
    if (leaf >= cpuid_leaves || (cpuid_dynamic >> leaf & 1) != 0) [[unlikely]]
        return false;
    put_leaf(registers, table.basic.data()[leaf]);
    return true;
}
// Answers any.
inline void answer_cpuid(const CpuidTable& table, Registers& registers, CpuidState state) {
    if (!copy_cpuid(table, registers))
        put_leaf(registers, lookup_cpuid(table, static_cast<std::uint32_t>(registers.rax),
                                         static_cast<std::uint32_t>(registers.rcx), state));
}

// What hangs on a bit of the table: the timer's third mode, IA32_TSC_AUX (RDTSCP or RDPID).
[[nodiscard]] inline bool offers_tsc_deadline(const CpuidTable& table) {
    return (table.basic[1].ecx >> 24 & 1) != 0;
}
[[nodiscard]] inline bool offers_tsc_aux(const CpuidTable& table) {
    return ((table.extended[1].edx >> 27 | table.basic[7].ecx >> 22) & 1) != 0;
}

// XSETBV(0, value) of a guest: allowed by the table and by the architecture's own rules (SDM vol. 1, 13.3).
[[nodiscard]] bool xcr0_valid(std::uint64_t value, std::uint64_t allowed);

} // namespace vcpu
