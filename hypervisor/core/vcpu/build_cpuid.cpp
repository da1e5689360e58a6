// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/build_cpuid.cpp - the table of answers, built from named bits; boot only.
#include "hypervisor/core/vcpu/build.hpp"
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
// XSAVE components on offer: x87, SSE, AVX, the three of AVX-512, PKRU. Never MPX, PT, CET, AMX.
constexpr std::uint64_t xcr0_offer = 0x7 | 0xE0 | 0x200;
constexpr std::uint64_t xcr0_avx512 = 0xE0;

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

const char* differs(const CpuidTable& table, CpuidSource host) {
    CpuidTable other;
    build_cpuid(other, host, table.vcpu_count);
    const auto same = [](const CpuidLeaf& a, const CpuidLeaf& b, const CpuidLeaf& of) {
        return masked(a, of) == masked(b, of);
    };
    constexpr CpuidLeaf features{.ecx = ~0u, .edx = ~0u};
    if (!same(table.basic[0], other.basic[0], {0, ~0u, ~0u, ~0u}))
        return "maker (CPUID 0)";
    if (!same(table.basic[1], other.basic[1], features))
        return "features (CPUID 1)";
    if (table.basic[7] != other.basic[7] || table.features1 != other.features1)
        return "features (CPUID 7)";
    if (!same(table.extended[1], other.extended[1], features) || table.extended[7] != other.extended[7] ||
        table.extended[8] != other.extended[8])
        return "features (CPUID 80000001, 80000007 or 80000008)";
    return table.xstate != other.xstate || table.xcr0_allowed != other.xcr0_allowed
               ? "extended state (CPUID 0D)"
               : nullptr;
}

} // namespace vcpu
