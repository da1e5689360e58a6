// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/calibrate.hpp - what the boot page tells in a partition and a bare machine must
// be asked.
#pragma once

#include <cstdint>

namespace uk::machine {

[[nodiscard]] std::uint64_t measure_tsc_hz();  // CPUID, else the PIT (direct mode only)
[[nodiscard]] std::uint64_t read_wall_clock(); // CMOS clock: nanoseconds since 1970 UTC (direct mode only)
void enable_bare_apic();                       // PIC masked, local APIC in x2APIC mode (direct mode only)

} // namespace uk::machine
