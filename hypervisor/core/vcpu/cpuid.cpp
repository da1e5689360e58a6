// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/cpuid.cpp - answers from the table, and those that follow guest state.
#include "hypervisor/core/vcpu/cpuid.hpp"

#include <algorithm>

namespace vcpu {
namespace {

constexpr std::uint32_t osxsave = 1u << 27, ospke = 1u << 4;
constexpr std::uint32_t cr4_osxsave = 1u << 18, cr4_pke = 1u << 22;

// XSAVE components.
constexpr std::uint64_t xcr0_avx = 1u << 2, xcr0_sse = 1u << 1, xcr0_x87 = 1u << 0, xcr0_avx512 = 0xE0;
constexpr std::uint32_t xsave_legacy_bytes = 576; // 512 and the header

// The area that XSAVE with these components needs, in the standard or in the compacted layout.
std::uint32_t xsave_bytes(const CpuidTable& table, std::uint64_t components, bool compacted) {
    std::uint32_t end = xsave_legacy_bytes;
    for (std::uint32_t i = 2; i < xstate_components; ++i) {
        const CpuidLeaf& part = table.xstate[i];
        const std::uint32_t next = (part.ecx & 2) != 0 ? (end + 63) & ~63u : end;
        if ((components >> i & 1) != 0)
            end = compacted ? next + part.eax : std::max(end, part.ebx + part.eax);
    }
    return end;
}

CpuidLeaf topology(const CpuidTable& table, std::uint32_t subleaf, std::uint32_t apic_id) {
    constexpr std::uint32_t level_thread = 1, level_core = 2;
    if (subleaf == 0)
        return {0, 1, level_thread << 8, apic_id};
    if (subleaf == 1)
        return {table.apic_id_bits, table.vcpu_count, level_core << 8 | 1, apic_id};
    return {0, 0, subleaf & 0xFF, apic_id};
}

CpuidLeaf xstate(const CpuidTable& table, std::uint32_t subleaf, const CpuidState& state) {
    if (subleaf >= xstate_components || table.xstate[0].eax == 0)
        return {};
    CpuidLeaf answer = table.xstate[subleaf];
    if (subleaf == 0) {
        answer.ebx = xsave_bytes(table, state.xcr0, false);
        answer.ecx = xsave_bytes(table, table.xcr0_allowed, false);
    } else if (subleaf == 1 && (answer.eax & 2) != 0) {
        answer.ebx = xsave_bytes(table, state.xcr0, true);
    }
    return answer;
}

// A 12-byte signature as EBX, ECX, EDX give it.
template <std::size_t Size> CpuidLeaf signature_leaf(std::uint32_t highest, const char (&text)[Size]) {
    static_assert(Size <= 13);
    std::array<std::uint32_t, 3> words{};
    for (std::size_t i = 0; i + 1 < Size; ++i)
        words[i / 4] |= std::uint32_t{static_cast<unsigned char>(text[i])} << i % 4 * 8;
    return {highest, words[0], words[1], words[2]};
}

CpuidLeaf hypervisor_leaf(std::uint32_t leaf) {
    switch (leaf) {
    case cpuid_kvm:
        return signature_leaf(cpuid_kvm + 1, "KVMKVMKVM\0\0");
    case CAISSON_CPUID_SIGNATURE:
        return signature_leaf(CAISSON_CPUID_VERSION, CAISSON_CPUID_SIGNATURE_TEXT);
    case CAISSON_CPUID_VERSION:
        return {.eax = CAISSON_ABI_VERSION};
    default:
        return {};
    }
}

} // namespace

CpuidLeaf lookup_cpuid(const CpuidTable& table, std::uint32_t leaf, std::uint32_t subleaf, CpuidState state) {
    if (leaf < cpuid_leaves) {
        CpuidLeaf answer = table.basic[leaf];
        switch (leaf) {
        case 1:
            answer.ebx |= state.apic_id << 24;
            if ((state.cr4 & cr4_osxsave) != 0)
                answer.ecx |= osxsave;
            return answer;
        case 4:
            return subleaf < cpuid_caches ? table.caches[subleaf] : CpuidLeaf{};
        case 7:
            if (subleaf > 0)
                return subleaf == 1 ? table.features1 : CpuidLeaf{};
            if ((state.cr4 & cr4_pke) != 0)
                answer.ecx |= ospke;
            return answer;
        case 0xB:
            return topology(table, subleaf, state.apic_id);
        case 0xD:
            return xstate(table, subleaf, state);
        default:
            return answer;
        }
    }
    if (leaf - cpuid_extended < cpuid_leaves)
        return table.extended[leaf - cpuid_extended];
    return hypervisor_leaf(leaf);
}

bool xcr0_valid(std::uint64_t value, std::uint64_t allowed) {
    if ((value & ~allowed) != 0 || (value & xcr0_x87) == 0)
        return false;
    if ((value & xcr0_avx) != 0 && (value & xcr0_sse) == 0)
        return false;
    const std::uint64_t avx512 = value & xcr0_avx512;
    return avx512 == 0 || (avx512 == xcr0_avx512 && (value & xcr0_avx) != 0);
}

} // namespace vcpu
