// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/apic.cpp - the local APIC: other CPUs, delivery modes that reach the host, its base.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

constexpr std::uint64_t icr = 0x830;
constexpr std::uint64_t smi = 0x200, lowest = 0x100, reserved = 0x300, nmi = 0x400, init = 0x500,
                        external = 0x700;

// `command` to every APIC ID but one's own two, which are 0 and 1 whatever the machine says.
Verdict to_others(std::uint64_t command, std::uint64_t) {
    Verdict seen = Verdict::harmless;
    for (std::uint64_t destination = 2; destination < 64; ++destination) {
        const Verdict once = write_msr(icr, destination << 32 | command);
        if (once != Verdict::granted)
            seen = once;
    }
    return seen;
}
Verdict send(std::uint64_t command, std::uint64_t) {
    return write_msr(icr, command);
}
// Nobody is at that logical address: no effect.
Verdict to_nobody(std::uint64_t command, std::uint64_t) {
    const Verdict seen = write_msr(icr, command);
    return seen == Verdict::granted ? Verdict::harmless : seen;
}
// A storm of self-interrupts keeps nobody but this CPU busy.
Verdict self_storm(std::uint64_t count, std::uint64_t) {
    static volatile std::uint64_t taken = 0;
    guest::interrupt_hook = [](unsigned) { taken = taken + 1; };
    cpu::wrmsr(0x80F, 0x1FF);
    cpu::interrupts_on();
    for (std::uint64_t i = 0; i < count; ++i)
        cpu::wrmsr(0x83F, 0x40 + i % 64);
    cpu::interrupts_off();
    guest::interrupt_hook = nullptr;
    return taken > 0 ? Verdict::harmless : Verdict::error;
}
// Ends with an interrupt pending whose vector is an exception's: the hypervisor empties the local APIC afterwards.
Verdict end_with_pending(std::uint64_t vector, std::uint64_t) {
    cpu::wrmsr(0x80F, 0x1FF);
    cpu::wrmsr(0x83F, vector);
    return attempt([] {
        cpu::lidt({0, 0});
        asm volatile("int3");
    });
}

constexpr std::array<Case, 39> cases{{
    {"fixed-to-others", Verdict::harmless, to_others, 0x4045},
    {"init-to-others", Verdict::harmless, to_others, 0x4000 | init},
    {"startup-to-others", Verdict::harmless, to_others, 0x4608},
    {"nmi-to-others", gp_ipi, to_others, 0x4000 | nmi},
    {"smi-to-others", gp_ipi, to_others, 0x4000 | smi},
    {"nmi-to-self", gp_ipi, send, 0x44000 | nmi},
    {"nmi-to-all", gp_ipi, send, 0xC4000 | nmi},
    {"smi-to-all", gp_ipi, send, 0x84000 | smi},
    {"init-to-all", gp_ipi, send, 0x84000 | init},
    {"nmi-broadcast", gp_ipi, send, 0xFFFFFFFF00004000 | nmi},
    {"lowest-priority", gp_ipi, send, 0x4040 | lowest},
    {"reserved-mode", gp_ipi, send, 0x4040 | reserved},
    {"external-interrupt", gp_ipi, send, 0x4040 | external},
    {"exception-vector", gp_ipi, send, 0x4003},
    {"vector-0-to-15", gp_ipi, send, 0x400F},
    {"reserved-bits", gp_ipi, send, std::uint64_t{1} << 20 | 0x4040},
    {"logical-cluster-of-others", Verdict::harmless, to_nobody, std::uint64_t{0x10001} << 32 | 0x4840},
    {"logical-nmi", gp_ipi, send, 0x0000FFFF00004C00},
    {"lvt-timer-smi", gp_msr, write_msr, 0x832, smi},
    {"lvt-timer-nmi", gp_msr, write_msr, 0x832, nmi},
    {"lvt-timer-init", gp_msr, write_msr, 0x832, init},
    {"lvt-thermal-smi", gp_msr, write_msr, 0x833, smi},
    {"lvt-performance-nmi", gp_msr, write_msr, 0x834, nmi},
    {"lvt-lint0-external", gp_msr, write_msr, 0x835, external},
    {"lvt-lint1-nmi", gp_msr, write_msr, 0x836, nmi},
    {"lvt-error-init", gp_msr, write_msr, 0x837, init},
    {"lvt-extended", gp_msr, write_msrs, 0x840, 0x853},
    {"base-elsewhere", gp_msr, write_msr, 0x1B, 0xFED00C00},
    {"base-disabled", gp_msr, write_msr, 0x1B, 0},
    {"back-to-xapic", gp_msr, write_msr, 0x1B, 0xFEE00800},
    {"set-identity", gp_msr, write_msr, 0x802, 7},
    {"set-logical-identity", gp_msr, write_msr, 0x80D, 1},
    {"unlisted-registers", gp_msr_read, read_msrs, 0x8C0, 0x8FF},
    {"ends-with-vector-13-pending", stopped_shutdown, end_with_pending, 13},
    {"ends-with-vector-17-pending", stopped_shutdown, end_with_pending, 17},
    {"ends-with-vector-18-pending", stopped_shutdown, end_with_pending, 18},
    {"ends-with-vector-0-pending", stopped_shutdown, end_with_pending, 0},
    {"ends-with-vector-255-pending", stopped_shutdown, end_with_pending, 255},
    {"self-interrupt-storm", Verdict::harmless, self_storm, 20000},
}};

} // namespace

std::span<const Case> apic_cases() {
    return cases;
}

} // namespace attack
