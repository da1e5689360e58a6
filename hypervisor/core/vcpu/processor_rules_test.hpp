// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/processor_rules_test.hpp - a strict processor: which RDMSR, WRMSR, XSETBV and which loaded guest state
// faults, rule by rule, as the manuals say.
//
// What a manual leaves to the model (a reserved encoding "may" fault) faults here. A register that no rule knows faults.
// Sections: SDM = Intel SDM vol. 3 (chapter 11 "APIC", 16 "Machine-Check Architecture"), vol. 4 by register; APM = AMD APM
// vol. 2.
#pragma once

#include "hypervisor/core/vcpu/processor_test.hpp"

#include <algorithm>

namespace vcpu::testing {

// efer and pat: loaded with a guest (VMRUN's and VM entry's checks), not by WRMSR of the host.
enum class Access : std::uint8_t { read, write, either, xsetbv };

struct ProcessorRule {
    const char* name;
    const char* section;
    Access access;
    std::uint32_t first, last; // MSRs, or XCRs
    bool (*breaks)(const Processor&, std::uint64_t value);
    std::uint64_t bad,
        good; // values: one that breaks it on some processor, one that breaks nothing on `everything`
    bool never = false; // no access of this kind is good
};

namespace rule {
inline bool always(const Processor&, std::uint64_t) {
    return true;
}
template <std::uint64_t Bits> bool reserved(const Processor&, std::uint64_t value) {
    return (value & Bits) != 0;
}
template <bool Processor::*Feature> bool lacks(const Processor& cpu, std::uint64_t) {
    return !(cpu.*Feature);
}
template <std::uint32_t Entry> bool no_entry(const Processor& cpu, std::uint64_t) {
    return cpu.last_local_vector < Entry;
}
inline bool lacks_tsc_aux(const Processor& cpu, std::uint64_t) {
    return !cpu.rdtscp && !cpu.rdpid;
}
template <unsigned... Modes> bool mode(const Processor&, std::uint64_t value) {
    return (((value >> 8 & 7) == Modes) || ...);
}
// Bits of which all or none must be set.
template <std::uint64_t Together> bool torn(const Processor&, std::uint64_t value) {
    return (value & Together) != 0 && (value & Together) != Together;
}
template <std::uint64_t Bit, std::uint64_t Needs> bool without(const Processor&, std::uint64_t value) {
    return (value & Bit) != 0 && (value & Needs) != Needs;
}
template <std::uint64_t Bit, bool Processor::*Feature>
bool bit_needs(const Processor& cpu, std::uint64_t value) {
    return (value & Bit) != 0 && !(cpu.*Feature);
}
template <bool (*Type)(std::uint64_t)> bool pat_entry(const Processor&, std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i)
        if (Type(value >> 8 * i & 0xFF))
            return true;
    return false;
}
inline bool pat_reserved(std::uint64_t type) {
    return type == 2 || type == 3;
}
inline bool pat_wide(std::uint64_t type) {
    return type > 7;
}
// Registers of banks past MCG_CAP.Count; `Index` of the four of a bank is in the value's place for reads.
inline constexpr std::uint64_t low = 0xFFFFFFFF, high = ~low;
inline constexpr std::uint64_t local_reserved = low & ~std::uint64_t{0x117FF},
                               pin_reserved = low & ~std::uint64_t{0x1F7FF};
} // namespace rule

// clang-format off
inline constexpr auto processor_rules = std::to_array<ProcessorRule>({
    // x2APIC registers: which there are.
    {"apic.mode",            "SDM 11.12.1.2", Access::either, 0x800, 0x8FF, rule::lacks<&Processor::x2apic>, 0, 0},
    {"apic.000-001",         "SDM table 11-6", Access::either, 0x800, 0x801, rule::always, 0, 0, true},
    {"apic.id read-only",    "SDM table 11-6", Access::write, 0x802, 0x802, rule::always, 0, 0, true},
    {"apic.version read-only", "SDM table 11-6", Access::write, 0x803, 0x803, rule::always, 0, 0, true},
    {"apic.004-007",         "SDM table 11-6", Access::either, 0x804, 0x807, rule::always, 0, 0, true},
    {"apic.arbitration",     "SDM table 11-6", Access::either, 0x809, 0x809, rule::always, 0, 0, true},
    {"apic.ppr read-only",   "SDM table 11-6", Access::write, 0x80A, 0x80A, rule::always, 0, 0, true},
    {"apic.eoi write-only",  "SDM table 11-6", Access::read, 0x80B, 0x80B, rule::always, 0, 0, true},
    {"apic.remote read",     "SDM table 11-6", Access::either, 0x80C, 0x80C, rule::always, 0, 0, true},
    {"apic.ldr read-only",   "SDM 11.12.10.1", Access::write, 0x80D, 0x80D, rule::always, 0, 0, true},
    {"apic.dfr",             "SDM table 11-6", Access::either, 0x80E, 0x80E, rule::always, 0, 0, true},
    {"apic.isr read-only",   "SDM table 11-6", Access::write, 0x810, 0x817, rule::always, 0, 0, true},
    {"apic.tmr read-only",   "SDM table 11-6", Access::write, 0x818, 0x81F, rule::always, 0, 0, true},
    {"apic.irr read-only",   "SDM table 11-6", Access::write, 0x820, 0x827, rule::always, 0, 0, true},
    {"apic.029-02e",         "SDM table 11-6", Access::either, 0x829, 0x82E, rule::always, 0, 0, true},
    {"apic.cmci exists",     "SDM 16.5.1",    Access::either, 0x82F, 0x82F, rule::lacks<&Processor::cmci>, 0x10000, 0x10000},
    {"apic.cmci entry",      "SDM 11.4.8",    Access::either, 0x82F, 0x82F, rule::no_entry<6>, 0x10000, 0x10000},
    {"apic.icr high",        "SDM 11.12.9",   Access::either, 0x831, 0x831, rule::always, 0, 0, true},
    {"apic.thermal entry",   "SDM 11.4.8",    Access::either, 0x833, 0x833, rule::no_entry<5>, 0x10000, 0x10000},
    {"apic.performance entry", "SDM 11.4.8",  Access::either, 0x834, 0x834, rule::no_entry<4>, 0x10000, 0x10000},
    {"apic.current read-only", "SDM table 11-6", Access::write, 0x839, 0x839, rule::always, 0, 0, true},
    {"apic.03a-03d",         "SDM table 11-6", Access::either, 0x83A, 0x83D, rule::always, 0, 0, true},
    {"apic.self write-only", "SDM 11.12.11",  Access::read, 0x83F, 0x83F, rule::always, 0, 0, true},
    {"apic.extended",        "APM 16.3.5",    Access::either, 0x840, 0x853, rule::lacks<&Processor::extended_apic>, 0, 0, true},
    {"apic.054-0ff",         "SDM table 11-6", Access::either, 0x854, 0x8FF, rule::always, 0, 0, true},
    // x2APIC registers: which bits.
    {"apic.high half before the icr", "SDM 11.12.1.2", Access::write, 0x800, 0x82F, rule::reserved<rule::high>, 1ull << 32, 0, true},
    {"apic.high half after the icr", "SDM 11.12.1.2", Access::write, 0x831, 0x8FF, rule::reserved<rule::high>, 1ull << 32, 0, true},
    {"apic.tpr bits",        "SDM 11.8.3.1",  Access::write, 0x808, 0x808, rule::reserved<0xFFFFFF00>, 0x100, 0xFF},
    {"apic.eoi zero",        "SDM 11.12.1.3", Access::write, 0x80B, 0x80B, rule::reserved<rule::low>, 1, 0},
    {"apic.svr bits",        "SDM 11.9",      Access::write, 0x80F, 0x80F, rule::reserved<0xFFFFEC00>, 0x400, 0x1FF},
    {"apic.svr focus",       "SDM 11.9",      Access::write, 0x80F, 0x80F, rule::reserved<0x200>, 0x200, 0x1FF},
    {"apic.svr suppression", "SDM 11.8.5",    Access::write, 0x80F, 0x80F, rule::bit_needs<0x1000, &Processor::eoi_suppression>, 0x11FF, 0x11FF},
    {"apic.esr zero",        "SDM 11.5.3",    Access::write, 0x828, 0x828, rule::reserved<rule::low>, 1, 0},
    {"apic.cmci bits",       "SDM fig. 11-8", Access::write, 0x82F, 0x82F, rule::reserved<rule::local_reserved>, 0x4041, 0x10041},
    {"apic.cmci mode",       "SDM 11.5.1",    Access::write, 0x82F, 0x82F, rule::mode<1, 3, 5, 6, 7>, 0x541, 0x10041},
    {"apic.icr bits",        "SDM 11.12.9",   Access::write, 0x830, 0x830, rule::reserved<0xFFF33000>, 0x1041, 0x4041},
    {"apic.icr mode",        "SDM 11.6.1",    Access::write, 0x830, 0x830, rule::mode<1, 3, 7>, 0x341, 0x4041},
    {"apic.timer bits",      "SDM fig. 11-8", Access::write, 0x832, 0x832, rule::reserved<0xFFF8EF00>, 0x141, 0x30041},
    {"apic.timer delivery pin", "SDM fig. 11-8", Access::write, 0x832, 0x832, rule::reserved<0xE000>, 0x2041, 0x30041},
    {"apic.timer deadline",  "SDM 11.5.4.1",  Access::write, 0x832, 0x832, rule::bit_needs<0x40000, &Processor::tsc_deadline>, 0x40041, 0x40041},
    {"apic.timer mode 3",    "SDM 11.5.4.1",  Access::write, 0x832, 0x832, [](const Processor&, std::uint64_t v) { return (v & 0x60000) == 0x60000; }, 0x60041, 0x40041},
    {"apic.thermal bits",    "SDM fig. 11-8", Access::write, 0x833, 0x833, rule::reserved<rule::local_reserved>, 0x2041, 0x10041},
    {"apic.thermal mode",    "SDM 11.5.1",    Access::write, 0x833, 0x833, rule::mode<1, 3, 5, 6, 7>, 0x741, 0x10041},
    {"apic.performance bits", "SDM fig. 11-8", Access::write, 0x834, 0x834, rule::reserved<rule::local_reserved>, 0x8041, 0x10041},
    {"apic.performance mode", "SDM 11.5.1",   Access::write, 0x834, 0x834, rule::mode<1, 3, 5, 6, 7>, 0x641, 0x10041},
    {"apic.lint0 bits",      "SDM fig. 11-8", Access::write, 0x835, 0x835, rule::reserved<rule::pin_reserved>, 0x20041, 0x1A041},
    {"apic.lint0 mode",      "SDM 11.5.1",    Access::write, 0x835, 0x835, rule::mode<1, 3, 6>, 0x141, 0x1A041},
    {"apic.lint1 bits",      "SDM fig. 11-8", Access::write, 0x836, 0x836, rule::reserved<rule::pin_reserved>, 0x80041, 0x1A041},
    {"apic.lint1 mode",      "SDM 11.5.1",    Access::write, 0x836, 0x836, rule::mode<1, 3, 6>, 0x641, 0x1A041},
    {"apic.error bits",      "SDM fig. 11-8", Access::write, 0x837, 0x837, rule::reserved<rule::local_reserved>, 0xE041, 0x10041},
    {"apic.error has no mode", "SDM fig. 11-8", Access::write, 0x837, 0x837, rule::reserved<0x700>, 0x441, 0x10041},
    {"apic.divider bits",    "SDM fig. 11-10", Access::write, 0x83E, 0x83E, rule::reserved<0xFFFFFFF4>, 4, 0xB},
    {"apic.self bits",       "SDM 11.12.11",  Access::write, 0x83F, 0x83F, rule::reserved<0xFFFFFF00>, 0x141, 0x41},
    {"apic.read-only bits",  "SDM 11.12.1.3", Access::write, 0x832, 0x837, rule::reserved<0x1000>, 0x11041, 0x10041},
    {"apic.remote irr",      "SDM 11.12.1.3", Access::write, 0x835, 0x836, rule::reserved<0x4000>, 0x14041, 0x10041},
    // IA32_APIC_BASE.
    {"apicbase.bits",        "SDM 11.12.1",   Access::write, 0x1B, 0x1B, rule::reserved<0x2FF>, 1, 0xFEE00C00},
    {"apicbase.x2apic",      "SDM 11.12.1",   Access::write, 0x1B, 0x1B, rule::bit_needs<0x400, &Processor::x2apic>, 0xFEE00C00, 0xFEE00C00},
    {"apicbase.disabled x2apic", "SDM 11.12.5", Access::write, 0x1B, 0x1B, rule::without<0x400, 0x800>, 0xFEE00400, 0xFEE00C00},
    // Other registers that an action writes.
    {"tsc_aux exists",       "SDM 18.17.3, APM 3.2.9", Access::either, 0xC0000103, 0xC0000103, rule::lacks_tsc_aux, 0, 0},
    {"tsc_aux bits",         "SDM vol. 4 C0000103", Access::write, 0xC0000103, 0xC0000103, rule::reserved<rule::high>, 1ull << 32, 0xFFFFFFFF},
    {"tsc_deadline exists",  "SDM 11.5.4.1",  Access::either, 0x6E0, 0x6E0, rule::lacks<&Processor::tsc_deadline>, 1, 1},
    {"pat.reserved type",    "SDM 12.12.2, APM 7.8", Access::write, 0x277, 0x277, rule::pat_entry<rule::pat_reserved>, 0x0007040600070402, 0x0007040600070406},
    {"pat.wide type",        "SDM 12.12.2, APM 7.8", Access::write, 0x277, 0x277, rule::pat_entry<rule::pat_wide>, 0x0807040600070406, 0x0407050600070106},
    {"efer.bits",            "APM 3.1.7",     Access::write, 0xC0000080, 0xC0000080, rule::reserved<~0x201D01ull>, 2, 0xD01},
    {"efer.sce",             "SDM vol. 4 C0000080", Access::write, 0xC0000080, 0xC0000080, rule::bit_needs<1, &Processor::syscall>, 1, 0xD01},
    {"efer.nxe",             "SDM vol. 4 C0000080", Access::write, 0xC0000080, 0xC0000080, rule::bit_needs<0x800, &Processor::nx>, 0x800, 0xD01},
    {"efer.svme",            "APM 15.4",      Access::write, 0xC0000080, 0xC0000080, [](const Processor& c, std::uint64_t v) { return c.intel && (v & 0x1000) != 0; }, 0x1000, 0xD01},
    {"efer.aibrse",          "APM 3.2.9",     Access::write, 0xC0000080, 0xC0000080, rule::bit_needs<0x200000, &Processor::automatic_ibrs>, 0x200000, 0xD01},
    {"spec_ctrl exists",     "SDM vol. 4 48H", Access::either, 0x48, 0x48, rule::lacks<&Processor::spec_ctrl>, 1, 1},
    {"spec_ctrl bits",       "SDM vol. 4 48H", Access::write, 0x48, 0x48, rule::reserved<~7ull>, 8, 1},
    {"spec_ctrl ssbd",       "SDM vol. 4 48H", Access::write, 0x48, 0x48, rule::bit_needs<4, &Processor::ssbd>, 4, 5},
    {"pred_cmd exists",      "SDM vol. 4 49H", Access::write, 0x49, 0x49, rule::lacks<&Processor::ibpb>, 1, 1},
    {"pred_cmd write-only",  "SDM vol. 4 49H", Access::read, 0x49, 0x49, rule::always, 0, 0, true},
    {"pred_cmd bits",        "SDM vol. 4 49H", Access::write, 0x49, 0x49, rule::reserved<~1ull>, 2, 1},
    {"flush_cmd exists",     "SDM vol. 4 10BH", Access::write, 0x10B, 0x10B, rule::lacks<&Processor::flush_l1>, 1, 1},
    {"flush_cmd bits",       "SDM vol. 4 10BH", Access::write, 0x10B, 0x10B, rule::reserved<~1ull>, 2, 1},
    {"test_ctrl exists",     "SDM vol. 4 33H", Access::either, 0x33, 0x33, rule::lacks<&Processor::split_lock>, 1u << 29, 1u << 29},
    // Machine-check banks.
    {"mcg_cap read-only",    "SDM 16.3.1.1",  Access::write, 0x179, 0x179, rule::always, 0, 0, true},
    {"mcg_status bits",      "SDM 16.3.1.2",  Access::write, 0x17A, 0x17A, rule::reserved<~0xFull>, 0x10, 0},
    {"mcg_ctl exists",       "SDM 16.3.1.3",  Access::either, 0x17B, 0x17B, rule::lacks<&Processor::mcg_ctl>, 0, ~0ull},
    // XSETBV.
    {"xcr.number",           "SDM vol. 1 13.3", Access::xsetbv, 1, ~0u, rule::always, 1, 1, true},
    {"xcr0.x87",             "SDM vol. 1 13.3", Access::xsetbv, 0, 0, [](const Processor&, std::uint64_t v) { return (v & 1) == 0; }, 2, 3},
    {"xcr0.avx needs sse",   "SDM vol. 1 13.3", Access::xsetbv, 0, 0, rule::without<4, 2>, 5, 7},
    {"xcr0.mpx",             "SDM vol. 1 13.3", Access::xsetbv, 0, 0, rule::torn<0x18>, 0xB, 3},
    {"xcr0.avx-512 whole",   "SDM vol. 1 13.3", Access::xsetbv, 0, 0, rule::torn<0xE0>, 0x27, 0xE7},
    {"xcr0.avx-512 needs avx", "SDM vol. 1 13.3", Access::xsetbv, 0, 0, rule::without<0xE0, 4>, 0xE3, 0xE7},
    {"xcr0.amx whole",       "SDM vol. 1 13.3", Access::xsetbv, 0, 0, rule::torn<0x60000>, 0x20003, 0x60003},
    {"xcr0.supported",       "SDM vol. 1 13.3", Access::xsetbv, 0, 0, [](const Processor& c, std::uint64_t v) { return (v & ~c.xcr0) != 0; }, 0x103, 0x207},
});
// clang-format on
static_assert(processor_rules.size() >= 60);

// Registers that exist although no rule above speaks of them.
inline bool plain_register(const Processor& cpu, std::uint32_t index) {
    const bool bank = index >= 0x400 && index < 0x400 + 4 * cpu.banks;
    return bank ||
           std::ranges::any_of(processor_rules,
                               [index](const ProcessorRule& rule) {
                                   return rule.access != Access::xsetbv && rule.first <= index &&
                                          index <= rule.last;
                               }) ||
           (index >= 0x800 && index <= 0x8FF);
}

// The rule that the access breaks, or nullptr: it does not fault.
inline const ProcessorRule* fault(const Processor& cpu, Access access, std::uint32_t index,
                                  std::uint64_t value = 0) {
    static constexpr ProcessorRule unknown{
        "no such register", "SDM vol. 4", Access::either, 0, ~0u, rule::always, 0, 0};
    static constexpr ProcessorRule nonzero{
        "machine-check bank: zero", "SDM 16.3.2", Access::write, 0x400, 0x47F, rule::always, 1, 0};
    for (const ProcessorRule& one : processor_rules) {
        const bool concerns =
            one.access == access || (one.access == Access::either && access != Access::xsetbv);
        if (concerns && one.first <= index && index <= one.last && one.breaks(cpu, value))
            return &one;
    }
    if (access == Access::xsetbv)
        return nullptr;
    if (!plain_register(cpu, index))
        return &unknown;
    const bool bank = index >= 0x400 && index < 0x480;
    return access == Access::write && bank && index % 4 != 0 && value != 0 ? &nonzero : nullptr;
}

} // namespace vcpu::testing
