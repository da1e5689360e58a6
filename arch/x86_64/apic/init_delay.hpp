// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/apic/init_delay.hpp - how long a CPU that got an INIT must be left alone.
//
// Pure.
// Spec: Intel MultiProcessor Specification 1.4, B.4: 10 ms; SDM vol. 3, "MP Initialization Protocol".
#pragma once

#include <cstdint>

namespace boot {

// Milliseconds between INIT and the first start-up IPI, by EBX of CPUID 0 and EAX of CPUID 1. Intel's family 6 and AMD's CPUs
// from family Fh on need none; of all others it is not known.
constexpr unsigned milliseconds_after_init(std::uint32_t vendor, std::uint32_t signature) {
    constexpr std::uint32_t intel = 0x756e6547, amd = 0x68747541, hygon = 0x6f677948;
    const std::uint32_t family = signature >> 8 & 15;
    const bool modern =
        (vendor == intel && family == 6) || ((vendor == amd || vendor == hygon) && family == 15);
    return modern ? 0 : 10;
}

} // namespace boot
