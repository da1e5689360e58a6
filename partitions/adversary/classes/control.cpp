// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/control.cpp - CR0, CR4, XCR0, XSS, EFER: bits that are not offered.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t efer = 0xC0000080;
constexpr std::uint64_t bit(unsigned number) {
    return std::uint64_t{1} << number;
}

Verdict add_to_efer(std::uint64_t bits, std::uint64_t) {
    const std::uint64_t before = cpu::rdmsr(efer);
    const Verdict seen = write_msr(efer, before | bits);
    return cpu::rdmsr(efer) == before ? seen : Verdict::granted;
}
Verdict leave_long_mode(std::uint64_t, std::uint64_t) {
    return write_msr(efer, cpu::rdmsr(efer) & ~bit(8));
}
// SVME is on while a guest runs; it must not show, and writing what was read must not clear it (the next exit would
// fail if it did).
Verdict efer_as_read(std::uint64_t, std::uint64_t) {
    const std::uint64_t seen = cpu::rdmsr(efer);
    cpu::wrmsr(efer, seen);
    (void)cpu::cpuid(0);
    return (seen & bit(12)) == 0 ? Verdict::harmless : Verdict::granted;
}
bool with_xsave() {
    if ((cpu::cpuid(1).ecx & 1u << 26) == 0)
        return false;
    cpu::write_cr<4>(cpu::read_cr<4>() | bit(18));
    return true;
}
std::uint64_t read_xcr0() {
    std::uint32_t low = 0, high = 0;
    // SAFETY: OSXSAVE is on; reads one register.
    asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return std::uint64_t{high} << 32 | low;
}
Verdict set_xcr(std::uint64_t index, std::uint64_t value) {
    if (!with_xsave())
        return verdict_of(
            guest::exception_of([=] { cpu::xsetbv(static_cast<std::uint32_t>(index), value); }));
    const std::uint64_t before = read_xcr0();
    const Verdict seen = attempt([=] { cpu::xsetbv(static_cast<std::uint32_t>(index), value); });
    return read_xcr0() == before ? seen : Verdict::granted;
}
Verdict xcr_without_osxsave(std::uint64_t, std::uint64_t) {
    cpu::write_cr<4>(cpu::read_cr<4>() & ~bit(18));
    return attempt([] { cpu::xsetbv(0, 1); });
}
Verdict xcr_in_ring3(std::uint64_t, std::uint64_t) {
    (void)with_xsave();
    return attempt([] { in_ring3([] { cpu::xsetbv(0, 1); }); });
}
// The processor itself knows what CR0, CR4 and CR8 may hold; where they exit nothing more gets through. QEMU's translator
// checks little of it.
Verdict set_cr0(std::uint64_t set, std::uint64_t clear) {
    const std::uint64_t before = cpu::read_cr<0>();
    const Verdict seen = attempt([=] { cpu::write_cr<0>((before | set) & ~clear); });
    return cpu::read_cr<0>() == before ? seen : Verdict::granted;
}
Verdict set_cr4(std::uint64_t bits, std::uint64_t) {
    const std::uint64_t before = cpu::read_cr<4>();
    const Verdict seen = attempt([=] { cpu::write_cr<4>(before | bits); });
    return cpu::read_cr<4>() == before ? seen : Verdict::granted;
}
Verdict set_cr8(std::uint64_t value, std::uint64_t) {
    return attempt([=] { asm volatile("mov %0, %%cr8" : : "r"(value) : "memory"); });
}
// CPUID must not say what a guest may not have: VMX, MONITOR, SVM, and the like.
Verdict cpuid_hides(std::uint64_t leaf, std::uint64_t bits) {
    const cpu::CpuidResult got = cpu::cpuid(static_cast<std::uint32_t>(leaf));
    return ((std::uint64_t{got.ecx} << 32 | got.edx) & bits) == 0 ? Verdict::harmless : Verdict::granted;
}

constexpr Expected gp_xcr0{Verdict::gp, Audit::xcr0};

constexpr std::array<Case, 22> cases{{
    {"efer-svme", gp_msr, add_to_efer, bit(12)},
    {"efer-reserved", gp_msr, add_to_efer, bit(20) | bit(63)},
    {"efer-segment-limits", gp_msr, add_to_efer, bit(13)},
    {"efer-automatic-ibrs", gp_msr, add_to_efer, bit(21)},
    {"efer-leave-long-mode", gp_msr, leave_long_mode},
    {"efer-write-as-read", Verdict::harmless, efer_as_read},
    {"xss", gp_msr, write_msr, 0xDA0, ~std::uint64_t{0}},
    {"xss-trace", gp_msr, write_msr, 0xDA0, bit(8)},
    {"xcr0-zero", gp_xcr0, set_xcr, 0, 0},
    {"xcr0-without-x87", gp_xcr0, set_xcr, 0, 2},
    {"xcr0-avx-without-sse", gp_xcr0, set_xcr, 0, 5},
    {"xcr0-reserved", gp_xcr0, set_xcr, 0, bit(62) | 1},
    {"xcr0-tiles", gp_xcr0, set_xcr, 0, bit(18) | 3},
    {"xcr-of-another-index", gp_xcr0, set_xcr, 1, 1},
    {"xcr0-without-osxsave", Verdict::ud, xcr_without_osxsave},
    {"xcr0-in-ring-3", Verdict::gp, xcr_in_ring3},
    {"cr4-not-offered", Expected{{Verdict::stopped, Audit::invalid}, {Verdict::gp}}, set_cr4,
     bit(23) | bit(31)},
    {"cr0-paging-without-protection", Verdict::gp, set_cr0, 0, 1, on_intel},
    {"cr0-reserved", Verdict::gp, set_cr0, bit(40), 0, on_intel},
    {"cr8-reserved", Verdict::gp, set_cr8, 0x100, 0, on_intel},
    {"cpuid-hides-vmx-and-monitor", Verdict::harmless, cpuid_hides, 1, (bit(5) | bit(3)) << 32},
    {"cpuid-hides-svm", Verdict::harmless, cpuid_hides, 0x80000001, bit(2) << 32},
}};

} // namespace

std::span<const Case> control_cases() {
    return cases;
}

} // namespace attack
