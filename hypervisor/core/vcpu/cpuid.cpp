// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/cpuid.cpp - the table of answers, built from named bits, and the answers that follow
// guest state.
#include "hypervisor/core/vcpu/cpuid.hpp"

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

constexpr std::uint32_t leaf6_eax = bits({2}); // ARAT: the local APIC timer runs while the CPU sleeps

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

constexpr std::uint32_t xsave_features = bits({0, 1, 2}); // XSAVEOPT, XSAVEC, XGETBV(1); never XSAVES, XFD

// Leaf 80000001h. Not named: CmpLegacy, SVM, ExtApicSpace, OSVW, IBS, SKINIT, WDT, LWP, TCE,
// TopologyExtensions, performance counters, DataBkptExt, PERFTSC, MONITORX.
constexpr std::uint32_t extended1_ecx = bits({0, 4, 5, 6, 7, 8, 11, 16, 21});
constexpr std::uint32_t extended1_edx =
    bits({0, 1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 15, 16, 17, 20, 22, 23, 24, 26, 27, 29, 30, 31});
constexpr std::uint32_t extended7_edx = bits({8});    // invariant TSC
constexpr std::uint32_t extended8_ebx = bits({0, 2}); // CLZERO, XSAVEERPTR

constexpr std::uint32_t last_basic = 0x16;
constexpr std::uint32_t last_extended = 0x8000001A;
constexpr std::uint32_t osxsave = 1u << 27, ospke = 1u << 4;
constexpr std::uint64_t cr4_osxsave = 1u << 18, cr4_pke = 1u << 22;

// XSAVE components on offer: x87, SSE, AVX, the three of AVX-512, PKRU. Never MPX, PT, CET, AMX.
constexpr std::uint64_t xcr0_offer = 0x7 | 0xE0 | 0x200;
constexpr std::uint64_t xcr0_avx = 1u << 2, xcr0_sse = 1u << 1, xcr0_x87 = 1u << 0, xcr0_avx512 = 0xE0;
constexpr std::uint32_t xsave_legacy_bytes = 576; // 512 and the header

CpuidLeaf masked(const CpuidLeaf& leaf, std::uint32_t eax, std::uint32_t ebx, std::uint32_t ecx,
                 std::uint32_t edx) {
    return {leaf.eax & eax, leaf.ebx & ebx, leaf.ecx & ecx, leaf.edx & edx};
}

struct Limit {
    std::uint32_t value;
    [[nodiscard]] bool has(std::uint32_t leaf) const { return leaf <= value; }
};

void build_basic(CpuidTable& table, CpuidSource host, Limit limit) {
    const CpuidLeaf zero = host(0);
    const std::uint32_t highest = limit.value < last_basic ? limit.value : last_basic;
    table.basic[0] = {highest, zero.ebx, zero.ecx, zero.edx};

    const CpuidLeaf one = host(1);
    CpuidLeaf& features = table.basic[1];
    features = masked(one, 0x0FFF3FFF, 0x0000FF00, leaf1_ecx, leaf1_edx);
    features.ecx |= leaf1_ecx_always;
    features.ebx |= table.vcpu_count << 16;
    if (table.vcpu_count > 1)
        features.edx |= leaf1_edx_htt;

    if (limit.has(2))
        table.basic[2] = host(2);
    if (limit.has(4))
        for (std::uint32_t i = 0; i < cpuid_caches; ++i) {
            // Caches as they are; how many share one, and the number of cores, as the partition has them.
            const CpuidLeaf cache = host(4, i);
            if ((cache.eax & 0x1F) == 0)
                break;
            const std::uint32_t host_sharing = cache.eax >> 14 & 0xFFF;
            const std::uint32_t sharing =
                host_sharing < table.vcpu_count - 1 ? host_sharing : table.vcpu_count - 1;
            table.caches[i] = {(cache.eax & 0x3FFF) | sharing << 14 | (table.vcpu_count - 1) << 26, cache.ebx,
                               cache.ecx, cache.edx};
        }
    if (limit.has(6))
        table.basic[6] = masked(host(6), leaf6_eax, 0, 0, 0);
    if (limit.has(7)) {
        const CpuidLeaf seven = host(7, 0);
        table.basic[7] = masked(seven, 1, leaf7_ebx, leaf7_ecx, leaf7_edx);
        table.basic[7].eax = seven.eax > 0 ? 1 : 0;
        if (seven.eax > 0)
            table.features1 = masked(host(7, 1), leaf7_1_eax, 0, 0, leaf7_1_edx);
    }
    for (std::uint32_t leaf : {0x15u, 0x16u}) // TSC and core crystal clock, processor frequency
        if (limit.has(leaf))
            table.basic[leaf] = host(leaf);
}

void build_xstate(CpuidTable& table, CpuidSource host, Limit limit) {
    constexpr std::uint32_t xsave = 1u << 26;
    if (!limit.has(0xD) || (table.basic[1].ecx & xsave) == 0) {
        // Without XSAVE there is no AVX either.
        table.basic[1].ecx &= ~bits({12, 26, 28, 29});
        return;
    }
    const CpuidLeaf zero = host(0xD, 0);
    table.xcr0_allowed = (std::uint64_t{zero.edx} << 32 | zero.eax) & xcr0_offer;
    if ((table.xcr0_allowed & xcr0_avx512) != xcr0_avx512)
        table.xcr0_allowed &= ~xcr0_avx512;
    table.xstate[0] = {static_cast<std::uint32_t>(table.xcr0_allowed), 0, 0,
                       static_cast<std::uint32_t>(table.xcr0_allowed >> 32)};
    table.xstate[1] = masked(host(0xD, 1), xsave_features, 0, 0, 0);
    for (std::uint32_t i = 2; i < xstate_components; ++i)
        if ((table.xcr0_allowed >> i & 1) != 0)
            table.xstate[i] = masked(host(0xD, i), ~0u, ~0u, bits({1}), 0);
}

void build_extended(CpuidTable& table, CpuidSource host) {
    const CpuidLeaf zero = host(cpuid_extended);
    if (zero.eax < cpuid_extended)
        return;
    const Limit limit{zero.eax};
    table.extended[0] = {limit.value < last_extended ? limit.value : last_extended, zero.ebx, zero.ecx,
                         zero.edx};
    const auto put = [&](std::uint32_t number, std::uint32_t eax, std::uint32_t ebx, std::uint32_t ecx,
                         std::uint32_t edx) {
        if (limit.has(cpuid_extended + number))
            table.extended[number] = masked(host(cpuid_extended + number), eax, ebx, ecx, edx);
    };
    put(1, ~0u, 0, extended1_ecx, extended1_edx);
    for (std::uint32_t number = 2; number <= 6; ++number) // brand string, caches
        put(number, ~0u, ~0u, ~0u, ~0u);
    put(7, 0, 0, 0, extended7_edx);
    put(8, 0xFF, extended8_ebx, 0, 0);
    if (limit.has(cpuid_extended + 8)) {
        table.extended[8].eax |= 48u << 8; // linear address bits: never LA57
        table.extended[8].ecx = (table.vcpu_count - 1) | table.apic_id_bits << 12;
    }
    put(0x19, ~0u, ~0u, 0, 0); // TLBs for 1 GiB pages
    put(0x1A, bits({0, 1, 2}), 0, 0, 0);
}

// The control-register bits that the offered features make meaningful.
void derive_masks(CpuidTable& table) {
    const auto when = [](std::uint32_t word, unsigned feature, unsigned bit) {
        return (word >> feature & 1) != 0 ? std::uint64_t{1} << bit : 0;
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
    const CpuidLeaf& extended = table.extended[1];
    table.efer_allowed = when(extended.edx, 11, 0) | when(extended.edx, 29, 8) | when(extended.edx, 29, 10) |
                         when(extended.edx, 20, 11); // SCE LME LMA NXE
}

// The area that XSAVE with these components needs, in the standard and in the compacted layout.
std::uint32_t standard_size(const CpuidTable& table, std::uint64_t components) {
    std::uint32_t size = xsave_legacy_bytes;
    for (std::uint32_t i = 2; i < xstate_components; ++i)
        if ((components >> i & 1) != 0 && table.xstate[i].ebx + table.xstate[i].eax > size)
            size = table.xstate[i].ebx + table.xstate[i].eax;
    return size;
}
std::uint32_t compacted_size(const CpuidTable& table, std::uint64_t components) {
    std::uint32_t size = xsave_legacy_bytes;
    for (std::uint32_t i = 2; i < xstate_components; ++i)
        if ((components >> i & 1) != 0) {
            if ((table.xstate[i].ecx & 2) != 0)
                size = (size + 63) & ~63u;
            size += table.xstate[i].eax;
        }
    return size;
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
        answer.ebx = standard_size(table, state.xcr0);
        answer.ecx = standard_size(table, table.xcr0_allowed);
    } else if (subleaf == 1 && (answer.eax & 2) != 0) {
        answer.ebx = compacted_size(table, state.xcr0);
    }
    return answer;
}

// A 12-byte signature as EBX, ECX, EDX give it.
constexpr CpuidLeaf signature_leaf(std::uint32_t highest, const char (&text)[13]) {
    const auto word = [&text](unsigned index) {
        std::uint32_t value = 0;
        for (unsigned i = 0; i < 4; ++i)
            value |= std::uint32_t{static_cast<unsigned char>(text[4 * index + i])} << (8 * i);
        return value;
    };
    return {highest, word(0), word(1), word(2)};
}
constexpr char kvm_text[13] = "KVMKVMKVM\0\0";
constexpr char our_text[13] = CAISSON_CPUID_SIGNATURE_TEXT;
constexpr CpuidLeaf kvm_leaf = signature_leaf(cpuid_kvm + 1, kvm_text);
constexpr CpuidLeaf our_leaf = signature_leaf(CAISSON_CPUID_VERSION, our_text);

CpuidLeaf hypervisor_leaf(std::uint32_t leaf) {
    switch (leaf) {
    case cpuid_kvm:
        return kvm_leaf;
    case CAISSON_CPUID_SIGNATURE:
        return our_leaf;
    case CAISSON_CPUID_VERSION:
        return {CAISSON_ABI_VERSION, 0, 0, 0};
    default:
        return {};
    }
}

} // namespace

void build_cpuid(CpuidTable& table, CpuidSource host, std::uint32_t vcpu_count) {
    table = CpuidTable{};
    table.vcpu_count = vcpu_count;
    table.apic_id_bits = static_cast<std::uint32_t>(std::bit_width(vcpu_count - 1));
    const Limit limit{host(0).eax};
    build_basic(table, host, limit);
    build_xstate(table, host, limit);
    build_extended(table, host);
    derive_masks(table);
}

CpuidLeaf lookup_cpuid(const CpuidTable& table, std::uint32_t leaf, std::uint32_t subleaf,
                       const CpuidState& state) {
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

void answer_other_cpuid(const CpuidTable& table, Registers& registers, std::uint32_t apic_id,
                        std::uint64_t cr4, std::uint64_t xcr0) {
    const auto leaf = static_cast<std::uint32_t>(registers.rax);
    const auto subleaf = static_cast<std::uint32_t>(registers.rcx);
    put_leaf(registers, lookup_cpuid(table, leaf, subleaf, {apic_id, cr4, xcr0}));
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
