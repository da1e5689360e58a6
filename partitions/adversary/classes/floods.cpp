// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/floods.cpp - keeping the hypervisor busy while the witness, on a CPU of its own, counts
// its exits and interrupts and measures how late they come.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

// A fifth of a second, or so many rounds where nobody knows how long a second is.
template <typename Action> void flood(Action action) {
    constexpr std::uint64_t most = 100'000;
    const std::uint64_t hz = guest::boot_page().tsc_hz, start = cpu::rdtsc();
    for (std::uint64_t i = 0; i < most && (hz == 0 || cpu::rdtsc() - start < hz / 5); ++i)
        action(i);
}

Verdict calls(std::uint64_t number, std::uint64_t) {
    Verdict seen = Verdict::error;
    flood([&](std::uint64_t i) {
        if (guest::call(number, ~i, i).value >= 0)
            seen = Verdict::granted;
    });
    return seen;
}
Verdict good_calls(std::uint64_t number, std::uint64_t) {
    flood([&](std::uint64_t) { (void)guest::call(number, 0, 0); });
    return Verdict::harmless;
}
Verdict cpuids(std::uint64_t, std::uint64_t) {
    flood([](std::uint64_t i) { (void)cpu::cpuid(static_cast<std::uint32_t>(i)); });
    return Verdict::harmless;
}
Verdict ports(std::uint64_t port, std::uint64_t) {
    flood([=](std::uint64_t) { (void)cpu::Ports::in8(static_cast<std::uint16_t>(port)); });
    return Verdict::ignored;
}
Verdict msrs(std::uint64_t msr, std::uint64_t value) {
    Verdict seen = Verdict::gp;
    flood([&](std::uint64_t) {
        if (const Verdict once = write_msr(msr, value); once != Verdict::gp)
            seen = once;
    });
    return seen;
}
Verdict instruction(std::uint64_t, std::uint64_t) {
    Verdict seen = Verdict::ud;
    flood([&](std::uint64_t) {
        seen = attempt([] { asm volatile(".byte 0x0f, 0x01, 0xc8" : : "a"(0), "c"(0), "d"(0)); });
    });
    return seen;
}
Verdict flushes(std::uint64_t, std::uint64_t) {
    flood([](std::uint64_t) { cpu::wbinvd(); });
    return Verdict::ignored;
}
Verdict interrupts(std::uint64_t, std::uint64_t) {
    guest::interrupt_hook = [](unsigned) {};
    cpu::wrmsr(0x80F, 0x1FF);
    cpu::interrupts_on();
    flood([](std::uint64_t) { cpu::wrmsr(0x830, 0x44040); }); // through the mediated ICR, to oneself
    cpu::interrupts_off();
    guest::interrupt_hook = nullptr;
    return Verdict::harmless;
}
// INIT and start-up of one's own second CPU, over and over: every one kicks it.
Verdict restarts(std::uint64_t, std::uint64_t) {
    constexpr std::uint32_t clear_halt_again = 0xFDEBF4FA; // cli; hlt; jmp back
    *reinterpret_cast<volatile std::uint32_t*>(std::uint64_t{0x8000}) = clear_halt_again;
    flood([](std::uint64_t) {
        cpu::wrmsr(0x830, std::uint64_t{1} << 32 | 0x4500);
        cpu::wrmsr(0x830, std::uint64_t{1} << 32 | 0x4608);
    });
    cpu::wrmsr(0x830, std::uint64_t{1} << 32 | 0x4500);
    return Verdict::harmless;
}
Verdict console(std::uint64_t, std::uint64_t) {
    static const char dots[] = "................................................................\n";
    flood([](std::uint64_t) {
        (void)guest::call(CAISSON_CALL_CONSOLE_WRITE, reinterpret_cast<std::uint64_t>(dots), sizeof dots - 1);
    });
    return Verdict::contained;
}
Verdict audit(std::uint64_t, std::uint64_t) {
    static const char text[] = "flood";
    Verdict seen = Verdict::granted;
    flood([&](std::uint64_t) {
        if (guest::call(CAISSON_CALL_AUDIT, reinterpret_cast<std::uint64_t>(text), sizeof text - 1).value ==
            -CAISSON_ERROR_RATE)
            seen = Verdict::error;
    });
    return seen;
}

constexpr std::array<Case, 14> cases{{
    {"unknown-calls", Expected{Verdict::error, Audit::hypercall}, calls, 200},
    {"bad-arguments", bad_argument, calls, CAISSON_CALL_CONSOLE_WRITE},
    {"version-calls", Verdict::harmless, good_calls, CAISSON_CALL_VERSION},
    {"entropy-calls", Verdict::harmless, good_calls, CAISSON_CALL_ENTROPY},
    {"cpuid", Verdict::harmless, cpuids},
    {"ports", Expected{Verdict::ignored, Audit::port}, ports, 0x510},
    {"msrs", gp_msr, msrs, 0x3B, 1},
    {"nmi-requests", gp_ipi, msrs, 0x830, 0xC4400},
    {"monitor", ud_instruction, instruction},
    {"cache-flushes", Expected{Verdict::ignored, Audit::cache}, flushes},
    {"self-interrupts", Verdict::harmless, interrupts},
    {"restarts-of-own-cpu", Verdict::harmless, restarts},
    {"console", Verdict::contained, console},
    {"audit-notes", Expected{Verdict::error, Audit::hypercall_rate}, audit},
}};

} // namespace

std::span<const Case> flood_cases() {
    return cases;
}

} // namespace attack
