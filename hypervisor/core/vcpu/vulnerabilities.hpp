// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/vulnerabilities.hpp - which protections against its own weaknesses a CPU needs and offers.
//
// Pure: one table of vulnerabilities, one decision from what CPUID and the capability MSRs say; the kernel only carries it
// out. Deny by default: a CPU is affected unless its maker says that it is not, by a bit or for a family we know; a family
// or a maker that we do not know is free of nothing. What it is affected by and offers nothing against is an exposure, named in
// the log.
// Spec: Intel SDM vol. 4 (IA32_ARCH_CAPABILITIES, IA32_CORE_CAPABILITIES, IA32_SPEC_CTRL, MSR_TEST_CTRL), "Speculative Execution
// Side Channel Mitigations" (BHI, ITS, GDS, RSB), "Machine Check Error on Page Size Change"; AMD APM vol. 2 "Speculation
// Control", CPUID 80000008 EBX, 80000021 EAX; AMD-SB-1037 (branch type confusion), 7005 (SRSO), 7029 (TSA).
#pragma once

#include "hypervisor/core/vcpu/hardening.hpp"

#include <array>
#include <cstdint>
#include <string_view>

namespace vcpu {

enum class Vendor : std::uint8_t { other, intel, amd, hygon };

// Registers and MSRs as read; 0 where the CPU does not have them.
struct CpuModel {
    Vendor vendor = Vendor::other;
    std::uint32_t family = 0;
    std::uint32_t leaf7_edx = 0, leaf7_2_edx = 0, leaf80000008_ebx = 0, leaf80000021_eax = 0;
    std::uint64_t architecture = 0, core = 0; // IA32_ARCH_CAPABILITIES, IA32_CORE_CAPABILITIES
    bool operator==(const CpuModel&) const = default;
};
// Of CPUID 0 and 1.
constexpr Vendor vendor_of(std::uint32_t leaf0_ebx) {
    return leaf0_ebx == 0x756E6547   ? Vendor::intel // "Genu"
           : leaf0_ebx == 0x68747541 ? Vendor::amd   // "Auth"
           : leaf0_ebx == 0x6F677948 ? Vendor::hygon // "Hygo"
                                     : Vendor::other;
}
constexpr std::uint32_t family_of(std::uint32_t leaf1_eax) {
    const std::uint32_t base = leaf1_eax >> 8 & 15;
    return base == 15 ? base + (leaf1_eax >> 20 & 0xFF) : base;
}

inline constexpr std::array<std::string_view, 13> measure_names{"",
                                                                "branch barrier",
                                                                "enhanced IBRS",
                                                                "automatic IBRS",
                                                                "BHI_DIS_S",
                                                                "BP_SPEC_REDUCE",
                                                                "filled return stack",
                                                                "VERW",
                                                                "L1D flush",
                                                                "gather lock",
                                                                "4 KiB executable pages",
                                                                "SSBD on request",
                                                                "split-lock trap"};

struct Vulnerability {
    std::string_view name;
    std::array<Measure, 2> measures; // either helps
    // Who is known to be free of it. Intel: any of these bits of IA32_ARCH_CAPABILITIES, or all of those, or a bit of CPUID 7.2
    // EDX. AMD and Hygon: families (bit n: family 0Fh + n), any of these bits of CPUID 80000008 EBX or 80000021 EAX.
    std::uint64_t intel_any = 0, intel_all = 0;
    std::uint32_t intel_7_2 = 0;
    std::uint32_t amd_families = 0, amd_8 = 0, amd_21 = 0;
};

namespace family {
constexpr std::uint32_t bits(std::uint32_t first, std::uint32_t last) {
    return (2u << (last - 0xF)) - (1u << (first - 0xF));
}
// K8 to Zen 5, Hygon's 18h among them. `any`: whatever has SVM.
inline constexpr std::uint32_t known = bits(0xF, 0x12) | bits(0x14, 0x1A), zen3_and_later = bits(0x19, 0x1A),
                               no_tsa = bits(0xF, 0x12) | bits(0x14, 0x17) | bits(0x1A, 0x1A), any = 1u << 31;
} // namespace family

constexpr std::uint64_t capability(unsigned bit) {
    return std::uint64_t{1} << bit;
}
inline constexpr std::uint64_t every_intel = ~std::uint64_t{0}; // of intel_any: the maker says so of all

inline constexpr std::array<Vulnerability, 12> vulnerabilities{{
    {.name = "branch targets (no enhanced or automatic IBRS)",
     .measures = {Measure::always_restricted, Measure::automatic_restricted}},
    {.name = "predictions of former lives (no IBPB)", .measures = {Measure::barrier}},
    {.name = "branch history (BHI)",
     .measures = {Measure::history},
     .intel_any = capability(20),
     .amd_families = family::known},
    // Who has BHI_CTRL is not affected.
    {.name = "indirect targets (ITS)",
     .measures = {},
     .intel_any = capability(62),
     .intel_7_2 = 1u << 4,
     .amd_families = family::known},
    {.name = "return predictions (Retbleed)",
     .measures = {Measure::always_restricted},
     .amd_families = family::zen3_and_later,
     .amd_8 = 1u << 29},
    {.name = "return predictions (SRSO)",
     .measures = {Measure::reduced_speculation},
     .intel_any = every_intel,
     .amd_21 = 1u << 29},
    {.name = "return stack", .measures = {Measure::filled_stack}},
    {.name = "gather data (GDS)",
     .measures = {Measure::gather},
     .intel_any = capability(26),
     .amd_families = family::known},
    {.name = "L1 data (L1TF)",
     .measures = {Measure::flush_l1},
     .intel_any = capability(0) | capability(3),
     .amd_families = family::known},
    // MDS, TAA, SBDR and SSDP, FBSDP, PSDP, RFDS; TSA.
    {.name = "CPU buffers (MDS, TSA)",
     .measures = {Measure::clear_buffers},
     .intel_all =
         capability(5) | capability(8) | capability(13) | capability(14) | capability(15) | capability(27),
     .amd_families = family::no_tsa},
    {.name = "stores passed by loads (SSB)",
     .measures = {Measure::store_bypass_control},
     .intel_any = capability(4),
     .amd_families = family::bits(0xF, 0x12),
     .amd_8 = 1u << 26},
    // Of extended page tables, which SVM does not have.
    {.name = "page size change",
     .measures = {Measure::small_executable_pages},
     .intel_any = capability(6),
     .amd_families = family::any},
}};

// A bit of another maker's register means nothing.
constexpr bool offers(const CpuModel& cpu, Measure measure) {
    const auto has = [](std::uint64_t word, unsigned bit) { return (word >> bit & 1) != 0; };
    const bool intel = cpu.vendor == Vendor::intel,
               amd = cpu.vendor == Vendor::amd || cpu.vendor == Vendor::hygon;
    switch (measure) {
    case Measure::none:
        return false;
    case Measure::barrier:
        return intel ? has(cpu.leaf7_edx, 26) : amd && has(cpu.leaf80000008_ebx, 12);
    case Measure::always_restricted:
        return intel && has(cpu.architecture, 1);
    case Measure::automatic_restricted:
        return amd && has(cpu.leaf80000021_eax, 8);
    case Measure::history:
        return intel && has(cpu.leaf7_2_edx, 4);
    case Measure::reduced_speculation:
        return amd && has(cpu.leaf80000021_eax, 31);
    case Measure::clear_buffers:
        return intel ? has(cpu.leaf7_edx, 10) : amd && has(cpu.leaf80000021_eax, 5);
    case Measure::flush_l1:
        return intel && has(cpu.leaf7_edx, 28);
    case Measure::gather:
        return intel && has(cpu.architecture, 25);
    case Measure::store_bypass_control:
        return intel ? has(cpu.leaf7_edx, 31) : amd && has(cpu.leaf80000008_ebx, 24);
    case Measure::trap_split_locks:
        return intel && has(cpu.core, 5);
    case Measure::filled_stack:
    case Measure::small_executable_pages:
        return true;
    }
    return false;
}

constexpr bool known_free(const CpuModel& cpu, const Vulnerability& of) {
    if (cpu.vendor == Vendor::intel)
        return of.intel_any == every_intel || (cpu.architecture & of.intel_any) != 0 ||
               (of.intel_all != 0 && (cpu.architecture & of.intel_all) == of.intel_all) ||
               (cpu.leaf7_2_edx & of.intel_7_2) != 0;
    if (cpu.vendor == Vendor::other)
        return false;
    constexpr std::uint32_t hygon_family = 0x18;
    const bool known = cpu.family >= 0xF && cpu.family <= 0x1A &&
                       (cpu.family == hygon_family) == (cpu.vendor == Vendor::hygon);
    return (of.amd_families & family::any) != 0 ||
           (known && (of.amd_families >> (cpu.family - 0xF) & 1) != 0) ||
           (cpu.leaf80000008_ebx & of.amd_8) != 0 || (cpu.leaf80000021_eax & of.amd_21) != 0;
}

constexpr Hardening harden(const CpuModel& cpu) {
    Hardening out;
    const auto use = [&](Measure measure) {
        const bool offered = offers(cpu, measure);
        out.measures |= std::uint32_t{offered} << static_cast<unsigned>(measure);
        return offered;
    };
    (void)use(Measure::trap_split_locks);
    for (std::size_t i = 0; i < vulnerabilities.size(); ++i) {
        const Vulnerability& one = vulnerabilities[i];
        const bool free = known_free(cpu, one);
        if (!free &&
            (static_cast<unsigned>(use(one.measures[0])) | static_cast<unsigned>(use(one.measures[1]))) == 0)
            out.exposed |= 1u << i;
    }
    return out;
}

} // namespace vcpu
