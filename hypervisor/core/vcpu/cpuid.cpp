// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/cpuid.cpp - the table of answers, built from named bits, and the answers that follow
// guest state.
#include "hypervisor/core/vcpu/cpuid.hpp"

#include <algorithm>
#include <bit>
#include <initializer_list>

namespace vcpu {
namespace {

constexpr std::uint32_t bits(std::initializer_list<unsigned> numbers) {
    std::uint32_t mask = 0;
    for (unsigned number : numbers)
        mask |= 1u << number;
    return mask;
}

// Leaf 1. Not named: DTES64, MONITOR, DS-CPL, VMX, SMX, EIST, TM2, CNXT-ID, SDBG, xTPR, PDCM, DCA.
constexpr std::uint32_t leaf1_ecx = bits({0, 1, 9, 12, 13,    // SSE3, PCLMULQDQ, SSSE3, FMA, CMPXCHG16B
                                          17, 19, 20, 22, 23, // PCID, SSE4.1, SSE4.2, MOVBE, POPCNT
                                          24, 25, 26, 28,     // TSC-deadline, AES, XSAVE, AVX
                                          29, 30});           // F16C, RDRAND
constexpr std::uint32_t leaf1_ecx_always = bits({21, 31});    // x2APIC, hypervisor present
// Not named: MCE, MTRR, MCA, PSN, DS, ACPI, TM, PBE. HTT follows the number of vCPUs.
constexpr std::uint32_t leaf1_edx =
    bits({0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 15, 16, 17, 19, 23, 24, 25, 26, 27});
constexpr std::uint32_t leaf1_edx_htt = 1u << 28;

// Leaf 7. Not named: TSC_ADJUST, SGX, HLE, RTM, PQM, MPX, PQE, PT.
constexpr std::uint32_t leaf7_ebx =
    bits({0, 3, 5, 6, 7, 8, 9, 10, 13, 16, 17, 18, 19, 20, 21, 23, 24, 28, 29, 30, 31});
// Not named: WAITPKG, CET, TME, LA57, MAWAU, KL, ENQCMD, SGX_LC, PKS.
constexpr std::uint32_t leaf7_ecx = bits({0, 1, 2, 3, 6, 8, 9, 10, 11, 12, 14, 22, 25, 27, 28});
// Not named: UINTR, PCONFIG, LBR, CET-IBT, AMX, and 26-31, whose MSRs are not granted.
constexpr std::uint32_t leaf7_edx = bits({2, 3, 4, 8, 10, 14, 23});
constexpr std::uint32_t leaf7_1_eax =
    bits({0, 1, 2, 4, 5, 10, 11, 12, 23});                  // SHA512 SM3 SM4 AVX-VNNI BF16 FZRM ...
constexpr std::uint32_t leaf7_1_edx = bits({4, 5, 10, 14}); // AVX-VNNI-INT8, NE-CONVERT, INT16, PREFETCHI

// Leaf 80000001h. Not named: CmpLegacy, SVM, ExtApicSpace, OSVW, IBS, SKINIT, WDT, LWP, TCE,
// TopologyExtensions, performance counters, DataBkptExt, PERFTSC, MONITORX.
constexpr std::uint32_t extended1_ecx = bits({0, 4, 5, 6, 7, 8, 11, 16, 21});
constexpr std::uint32_t extended1_edx =
    bits({0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 15, 16, 17, 20, 22, 23, 24, 26, 27, 29, 30, 31});

constexpr std::uint32_t last_basic = 0x16;
constexpr std::uint32_t last_extended = 0x8000001A;
constexpr std::uint32_t osxsave = 1u << 27, ospke = 1u << 4;
constexpr std::uint32_t cr4_osxsave = 1u << 18, cr4_pke = 1u << 22;

// XSAVE components on offer: x87, SSE, AVX, the three of AVX-512, PKRU. Never MPX, PT, CET, AMX.
constexpr std::uint64_t xcr0_offer = 0x7 | 0xE0 | 0x200;
constexpr std::uint64_t xcr0_avx = 1u << 2, xcr0_sse = 1u << 1, xcr0_x87 = 1u << 0, xcr0_avx512 = 0xE0;
constexpr std::uint32_t xsave_legacy_bytes = 576; // 512 and the header

CpuidLeaf masked(const CpuidLeaf& leaf, const CpuidLeaf& mask) {
    return {leaf.eax & mask.eax, leaf.ebx & mask.ebx, leaf.ecx & mask.ecx, leaf.edx & mask.edx};
}

// Which bits of the machine's own leaves are shown; what depends on the partition is added below.
struct Shown {
    std::uint32_t leaf;
    CpuidLeaf mask;
};
constexpr CpuidLeaf whole{~0u, ~0u, ~0u, ~0u};
constexpr std::array<Shown, 16> shown{{
    {1, {0x0FFF3FFF, 0x0000FF00, leaf1_ecx, leaf1_edx}},
    {2, whole},
    {6, {.eax = bits({2})}}, // ARAT: the local APIC timer runs while the CPU sleeps
    {7, {0, leaf7_ebx, leaf7_ecx, leaf7_edx}},
    {0x15, whole}, // TSC and core crystal clock
    {0x16, whole}, // processor frequency
    {cpuid_extended + 1, {~0u, 0, extended1_ecx, extended1_edx}},
    {cpuid_extended + 2, whole}, // brand string
    {cpuid_extended + 3, whole},
    {cpuid_extended + 4, whole},
    {cpuid_extended + 5, whole}, // caches
    {cpuid_extended + 6, whole},
    {cpuid_extended + 7, {.edx = bits({8})}},                 // invariant TSC
    {cpuid_extended + 8, {.eax = 0xFF, .ebx = bits({0, 2})}}, // CLZERO, XSAVEERPTR
    {cpuid_extended + 0x19, {.eax = ~0u, .ebx = ~0u}},        // TLBs for 1 GiB pages
    {cpuid_extended + 0x1A, {.eax = bits({0, 1, 2})}},
}};

// Caches as they are; how many share one, and the number of cores, as the partition has them.
void build_caches(CpuidTable& table, CpuidSource host) {
    const std::uint32_t last = table.vcpu_count - 1;
    for (std::uint32_t i = 0; i < cpuid_caches; ++i) {
        CpuidLeaf cache = host(4, i);
        if ((cache.eax & 0x1F) == 0)
            break;
        cache.eax = (cache.eax & 0x3FFF) | std::min(cache.eax >> 14 & 0xFFF, last) << 14 | last << 26;
        table.caches[i] = cache;
    }
}

void build_xstate(CpuidTable& table, CpuidSource host, std::uint32_t highest) {
    constexpr std::uint32_t xsave = 1u << 26;
    if (highest < 0xD || (table.basic[1].ecx & xsave) == 0) {
        // Without XSAVE there is no AVX either.
        table.basic[1].ecx &= ~bits({12, 26, 28, 29});
        return;
    }
    const CpuidLeaf zero = host(0xD, 0);
    table.xcr0_allowed = (std::uint64_t{zero.edx} << 32 | zero.eax) & xcr0_offer;
    if ((table.xcr0_allowed & xcr0_avx512) != xcr0_avx512)
        table.xcr0_allowed &= ~xcr0_avx512;
    table.xstate[0] = {.eax = static_cast<std::uint32_t>(table.xcr0_allowed),
                       .edx = static_cast<std::uint32_t>(table.xcr0_allowed >> 32)};
    table.xstate[1] =
        masked(host(0xD, 1), {.eax = bits({0, 1, 2})}); // XSAVEOPT, XSAVEC, XGETBV(1); never XSAVES, XFD
    for (std::uint32_t i = 2; i < xstate_components; ++i)
        if ((table.xcr0_allowed >> i & 1) != 0)
            table.xstate[i] = masked(host(0xD, i), {~0u, ~0u, bits({1}), 0});
}

// The control-register bits that the offered features make meaningful.
void derive_masks(CpuidTable& table) {
    const auto when = [](std::uint32_t word, unsigned feature, unsigned bit) {
        return std::uint64_t{word >> feature & 1} << bit;
    };
    const CpuidLeaf& one = table.basic[1];
    const CpuidLeaf& seven = table.basic[7];
    table.cr4_allowed = when(one.edx, 1, 0) | when(one.edx, 1, 1) | when(one.edx, 4, 2) |
                        when(one.edx, 2, 3) |                                              // VME PVI TSD DE
                        when(one.edx, 3, 4) | when(one.edx, 6, 5) | when(one.edx, 13, 7) | // PSE PAE PGE
                        1u << 8 | when(one.edx, 24, 9) | when(one.edx, 25, 10) | // PCE OSFXSR OSXMMEXCPT
                        when(seven.ecx, 2, 11) | when(seven.ebx, 0, 16) |        // UMIP FSGSBASE
                        when(one.ecx, 17, 17) | when(one.ecx, 26, 18) |          // PCIDE OSXSAVE
                        when(seven.ebx, 7, 20) | when(seven.ebx, 20, 21) |
                        when(seven.ecx, 3, 22); // SMEP SMAP PKE
    const std::uint32_t extended = table.extended[1].edx;
    table.efer_allowed = when(extended, 11, 0) | when(extended, 29, 8) | when(extended, 29, 10) |
                         when(extended, 20, 11); // SCE LME LMA NXE
}

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

void build_cpuid(CpuidTable& table, CpuidSource host, std::uint32_t vcpu_count) {
    table = CpuidTable{};
    table.vcpu_count = vcpu_count;
    table.apic_id_bits = static_cast<std::uint32_t>(std::bit_width(vcpu_count - 1));
    const CpuidLeaf zero = host(0, 0), extended = host(cpuid_extended, 0);
    for (const auto& [leaf, mask] : shown) {
        if (leaf < cpuid_leaves && leaf <= zero.eax)
            table.basic[leaf] = masked(host(leaf, 0), mask);
        else if (leaf >= cpuid_extended && leaf <= extended.eax)
            table.extended[leaf - cpuid_extended] = masked(host(leaf, 0), mask);
    }
    table.basic[0] = {std::min(zero.eax, last_basic), zero.ebx, zero.ecx, zero.edx};
    table.basic[1].ecx |= leaf1_ecx_always;
    table.basic[1].ebx |= vcpu_count << 16;
    if (vcpu_count > 1)
        table.basic[1].edx |= leaf1_edx_htt;
    if (zero.eax >= 4)
        build_caches(table, host);
    if (zero.eax >= 7 && host(7, 0).eax > 0) {
        table.basic[7].eax = 1;
        table.features1 = masked(host(7, 1), {.eax = leaf7_1_eax, .edx = leaf7_1_edx});
    }
    build_xstate(table, host, zero.eax);
    if (extended.eax >= cpuid_extended)
        table.extended[0] = {std::min(extended.eax, last_extended), extended.ebx, extended.ecx, extended.edx};
    if (extended.eax >= cpuid_extended + 8) {
        table.extended[8].eax |= 48u << 8; // linear address bits: never LA57
        table.extended[8].ecx = (vcpu_count - 1) | table.apic_id_bits << 12;
    }
    derive_masks(table);
}

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
