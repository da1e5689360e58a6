// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/boot/topology.hpp - package, core and thread out of an APIC ID.
//
// The field widths are the boot CPU's by CPUID; all CPUs of a machine share them.
// Spec: AMD APM vol. 3 appendix E (leaves Bh, 80000008h, 8000001Eh); Intel SDM vol. 2 "CPUID".
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"

namespace boot {

struct Topology {
    std::uint32_t thread_bits = 0; // low bits of the APIC ID that number the threads of a core
    std::uint32_t core_bits = 0;   // the bits above them that number the cores of a package

    struct Place {
        std::uint32_t package, core, thread;
    };
    [[nodiscard]] constexpr Place place(std::uint32_t id) const {
        return {id >> (thread_bits + core_bits), id >> thread_bits & ((1u << core_bits) - 1),
                id & ((1u << thread_bits) - 1)};
    }
};

// Widths of 16 and more are no real machine's: such an answer counts as none.
inline Topology topology() {
    constexpr std::uint32_t limit = 16;
    if (cpu::cpuid(0).eax >= 0xb && cpu::cpuid(0xb, 0).ebx != 0) {
        const std::uint32_t to_core = cpu::cpuid(0xb, 0).eax & 31, to_package = cpu::cpuid(0xb, 1).eax & 31;
        if (to_core <= to_package && to_package < limit)
            return {to_core, to_package - to_core};
    }
    if (cpu::cpuid(0x80000000).eax >= 0x80000008) {
        const std::uint32_t bits = cpu::cpuid(0x80000008).ecx >> 12 & 15;
        return {0, bits};
    }
    return {};
}

} // namespace boot
