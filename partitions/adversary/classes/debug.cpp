// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/debug.cpp - debug, counters, trace and debug store: what writes memory by itself.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

Verdict counter(std::uint64_t index, std::uint64_t) {
    return attempt([=] {
        asm volatile("rdpmc" : : "c"(static_cast<std::uint32_t>(index)) : "rax", "rdx", "memory");
    });
}
Verdict debug_register(std::uint64_t value, std::uint64_t) {
    const Verdict seen = attempt([=] { asm volatile("mov %0, %%dr7" : : "r"(value)); });
    asm volatile("mov %0, %%dr7" : : "r"(std::uint64_t{0x400}));
    return seen;
}
// A breakpoint on one's own data is one's own business.
Verdict own_breakpoint(std::uint64_t, std::uint64_t) {
    alignas(8) static volatile std::uint64_t watched = 0;
    asm volatile("mov %0, %%dr0\n\tmov %1, %%dr7"
                 :
                 : "r"(reinterpret_cast<std::uint64_t>(&watched)), "r"(std::uint64_t{0x90401}));
    const Verdict seen = attempt([] { watched = 1; });
    asm volatile("mov %0, %%dr7" : : "r"(std::uint64_t{0x400}));
    return seen;
}
Verdict cpuid_hides(std::uint64_t leaf, std::uint64_t) {
    const cpu::CpuidResult got = cpu::cpuid(static_cast<std::uint32_t>(leaf));
    return (got.eax | got.ebx | got.ecx | got.edx) == 0 ? Verdict::harmless : Verdict::granted;
}

constexpr Expected gp_counter{Verdict::gp, Audit::rdpmc};

constexpr std::array<Case, 24> cases{{
    {"debug-control", gp_msr, write_msr, 0x1D9, 1},
    {"debug-control-branch-store", gp_msr, write_msr, 0x1D9, 0xC0},
    {"debug-control-read", gp_msr_read, read_msr, 0x1D9},
    {"debug-store-area", gp_msr, write_msr, 0x600, 0x100000},
    {"precise-sampling", gp_msr, write_msrs, 0x3F1, 0x3F2},
    {"trace", gp_msr, write_msrs, 0x560, 0x571},
    {"trace-read", gp_msr_read, read_msrs, 0x560, 0x571},
    {"event-select", gp_msr, write_msrs, 0x186, 0x18D},
    {"event-counters", gp_msr, write_msrs, 0xC1, 0xC8},
    {"counter-global-control", gp_msr, write_msrs, 0x38D, 0x390},
    {"event-select-amd", gp_msr, write_msrs, 0xC0010000, 0xC0010007},
    {"event-select-amd-extended", gp_msr, write_msrs, 0xC0010200, 0xC001020B},
    {"instruction-sampling-amd", gp_msr, write_msrs, 0xC0011030, 0xC001103B},
    {"lightweight-profiling", gp_msr, write_msrs, 0xC0000105, 0xC0000106},
    {"branch-records", gp_msr_read, read_msrs, 0x1DB, 0x1DE},
    {"branch-records-select", gp_msr, write_msr, 0x1C8, 0},
    {"bounds-configuration", gp_msr, write_msr, 0xD90, 1},
    {"shadow-stacks", gp_msr, write_msrs, 0x6A0, 0x6A8},
    {"counter-0", gp_counter, counter, 0},
    {"counter-fixed", gp_counter, counter, 0x40000000},
    {"debug-register-reserved", Verdict::gp, debug_register, std::uint64_t{1} << 40},
    {"own-breakpoint", Verdict::exception, own_breakpoint},
    {"cpuid-hides-counters", Verdict::harmless, cpuid_hides, 0xA},
    {"cpuid-hides-trace", Verdict::harmless, cpuid_hides, 0x14},
}};

} // namespace

std::span<const Case> debug_cases() {
    return cases;
}

} // namespace attack
