// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/msrs.cpp - model-specific registers, existing and random.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

// Registers that no list names: a generator's choice, the same in every run.
Verdict random_msrs(std::uint64_t seed, std::uint64_t write) {
    std::uint64_t state = seed;
    for (unsigned i = 0; i < 500; ++i) {
        state = state * 6364136223846793005 + 1442695040888963407;
        // Never one of the ranges in which something is granted.
        const std::uint64_t msr = 0x2000 + (state >> 33) % 0x3FFF0000;
        if (const Verdict seen = write != 0 ? write_msr(msr, state) : read_msr(msr, 0); seen != Verdict::gp)
            return seen;
    }
    return Verdict::gp;
}
// Constants that may be read are not registers that can be written.
Verdict write_constant(std::uint64_t msr, std::uint64_t value) {
    const std::uint64_t before = cpu::rdmsr(static_cast<std::uint32_t>(msr));
    const Verdict seen = write_msr(msr, value);
    return cpu::rdmsr(static_cast<std::uint32_t>(msr)) == before ? seen : Verdict::granted;
}
// #GP must leave the registers as they were.
Verdict registers_kept(std::uint64_t msr, std::uint64_t) {
    std::uint32_t low = 0x12345678, high = 0x9ABCDEF0;
    const Verdict seen = attempt([&] {
        asm volatile("rdmsr" : "+a"(low), "+d"(high) : "c"(static_cast<std::uint32_t>(msr)) : "memory");
    });
    return low == 0x12345678 && high == 0x9ABCDEF0 ? seen : Verdict::granted;
}
Verdict from_ring3(std::uint64_t, std::uint64_t) {
    return attempt([] { in_ring3([] { cpu::wrmsr(0xC0000082, 0); }); });
}

constexpr std::array<Case, 28> cases{{
    {"feature-control", gp_msr, write_msr, 0x3A, 5},
    {"feature-control-read", gp_msr_read, read_msr, 0x3A},
    {"vmx-capabilities", gp_msr_read, read_msrs, 0x480, 0x493},
    {"vm-control", gp_msr, write_msr, 0xC0010114, 0},
    {"vm-control-read", gp_msr_read, read_msr, 0xC0010114},
    {"host-save-area", gp_msr, write_msr, 0xC0010117, 0x1000},
    {"host-save-area-read", gp_msr_read, read_msr, 0xC0010117},
    {"smm-base", gp_msr, write_msr, 0xC0010111, 0x1000},
    {"smm-address-mask", gp_msr, write_msrs, 0xC0010112, 0xC0010113},
    {"smm-monitor", gp_msr, write_msr, 0x9B, 1},
    {"smi-on-io-trap", gp_msr, write_msrs, 0xC0010050, 0xC0010056},
    {"hardware-configuration", gp_msr, write_constant, 0xC0010015, 0},
    {"misc-enable", gp_msr, write_constant, 0x1A0, 0},
    {"microcode-update", gp_msr, write_msr, 0x79, 0x100000},
    {"microcode-patch-loader", gp_msr, write_msr, 0xC0010020, 0x100000},
    {"microcode-signature", gp_msr, write_msr, 0x8B, 0},
    {"machine-check-banks", gp_msr, write_msrs, 0x400, 0x41F},
    {"machine-check-status", gp_msr, write_msrs, 0x179, 0x17B},
    {"machine-check-banks-read", gp_msr_read, read_msrs, 0x400, 0x41F},
    {"speculation-predictor-commands", gp_msr, write_msr, 0x49, 1},
    {"test-control", gp_msr, write_msr, 0x33, std::uint64_t{1} << 29},
    {"platform-information", gp_msr_read, read_msr, 0xCE},
    {"random-read", gp_msr_read, random_msrs, 1, 0},
    {"random-read-again", gp_msr_read, random_msrs, 77, 0},
    {"random-write", gp_msr, random_msrs, 2, 1},
    {"random-write-again", gp_msr, random_msrs, 99, 1},
    {"registers-kept", gp_msr_read, registers_kept, 0xC0010117},
    {"wrmsr-in-ring-3", Verdict::gp, from_ring3},
}};

} // namespace

std::span<const Case> msr_cases() {
    return cases;
}

} // namespace attack
