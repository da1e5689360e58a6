// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/time.cpp - clocks and frequencies, which every partition shares.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

Verdict write_tsc(std::uint64_t value, std::uint64_t) {
    const std::uint64_t before = cpu::rdtsc();
    const Verdict seen = write_msr(0x10, value);
    const std::uint64_t after = cpu::rdtsc();
    return after > before ? seen : Verdict::granted;
}
Verdict tsc_forward(std::uint64_t, std::uint64_t) {
    std::uint64_t last = cpu::rdtsc();
    for (unsigned i = 0; i < 1000; ++i) {
        const std::uint64_t now = i % 2 != 0 ? cpu::rdtsc() : cpu::rdmsr(0x10);
        if (now < last)
            return Verdict::granted;
        last = now;
    }
    return Verdict::harmless;
}
// Where the processor has it, the deadline is one's own.
Verdict deadline(std::uint64_t, std::uint64_t) {
    const bool offered = (cpu::cpuid(1).ecx >> 24 & 1) != 0;
    const Verdict seen = write_msr(0x6E0, 0);
    return seen == (offered ? Verdict::granted : Verdict::gp) ? Verdict::harmless : Verdict::granted;
}
Verdict timer_storm(std::uint64_t count, std::uint64_t) {
    static volatile std::uint64_t ticks = 0;
    guest::interrupt_hook = [](unsigned) { ticks = ticks + 1; };
    cpu::wrmsr(0x80F, 0x1FF);
    cpu::wrmsr(0x83E, 0xB);
    cpu::wrmsr(0x832, 0x41);
    cpu::interrupts_on();
    for (std::uint64_t i = 0; i < count; ++i)
        cpu::wrmsr(0x838, 100);
    for (unsigned i = 0; i < 10'000'000 && ticks == 0; ++i)
        cpu::pause();
    cpu::interrupts_off();
    cpu::wrmsr(0x838, 0);
    guest::interrupt_hook = nullptr;
    return ticks > 0 ? Verdict::harmless : Verdict::error;
}
Verdict clock_port(std::uint64_t port, std::uint64_t value) {
    const auto at = static_cast<std::uint16_t>(port);
    cpu::Ports::out8(at, static_cast<std::uint8_t>(value));
    return cpu::Ports::in8(at) == 0xFF ? Verdict::ignored : Verdict::granted;
}
Verdict clock_call(std::uint64_t selector, std::uint64_t) {
    return hypercall(CAISSON_CALL_CLOCK, selector, 0);
}

constexpr Expected ignored_legacy{Verdict::ignored, Audit::port_legacy};

constexpr std::array<Case, 21> cases{{
    {"tsc-back", gp_msr, write_tsc, 0},
    {"tsc-far-ahead", gp_msr, write_tsc, ~std::uint64_t{0} >> 1},
    {"tsc-adjust", gp_msr, write_msr, 0x3B, ~std::uint64_t{0}},
    {"tsc-adjust-read", gp_msr_read, read_msr, 0x3B},
    {"tsc-ratio", gp_msr, write_msr, 0xC0000104, 1},
    {"tsc-aux-wide", gp_msr, write_msr, 0xC0000103, std::uint64_t{1} << 32},
    {"tsc-goes-forward", Verdict::harmless, tsc_forward},
    {"deadline", Verdict::harmless, deadline},
    {"timer-storm", Verdict::harmless, timer_storm, 5000},
    {"pit-reload", ignored_legacy, clock_port, 0x40, 1},
    {"pit-mode", ignored_legacy, clock_port, 0x43, 0x30},
    {"rtc-rate", ignored_legacy, clock_port, 0x71, 0x2F},
    {"power-timer", Expected{Verdict::ignored, Audit::port}, clock_port, 0x608, 0},
    {"hpet", stopped_npf, write_at, 0xFED00010},
    {"actual-performance", gp_msr, write_msrs, 0xE7, 0xE8},
    {"performance-control", gp_msr, write_msr, 0x199, 0x800},
    {"clock-modulation", gp_msr, write_msr, 0x19A, 0x12},
    {"thermal-interrupt", gp_msr, write_msr, 0x19B, 1},
    {"performance-state-amd", gp_msr, write_msrs, 0xC0010062, 0xC001006B},
    {"hardware-performance", gp_msr, write_msrs, 0x770, 0x777},
    {"clock-call", bad_argument, clock_call, 99},
}};

} // namespace

std::span<const Case> time_cases() {
    return cases;
}

} // namespace attack
