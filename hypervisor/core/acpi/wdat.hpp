// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/wdat.hpp - the hardware watchdog that firmware's WDAT table describes: which registers do what.
//
// Pure data.
// Trust: firmware's; a table that does not parse is none.
// Spec:  Microsoft, "Hardware Watchdog Timers Design Specification" 1.01 (WDAT); ACPI 6.5 section 5.2.3.2 (addresses).
#pragma once

#include "hypervisor/base/fixed_vector.hpp"

#include <cstdint>

namespace acpi {

struct WdatEntry {
    std::uint8_t action = 0, instruction = 0;
    bool in_memory = false;                 // else a port
    std::uint8_t bytes = 0, bit_offset = 0; // 1, 2 or 4 bytes are accessed; where in them the value lies
    std::uint64_t address = 0;
    std::uint32_t value = 0, mask = 0;
};

namespace wdat {
inline constexpr std::uint8_t feed = 1, set_countdown = 6, set_running = 9, set_stopped = 11,
                              set_reboot = 17;                                       // actions
inline constexpr std::uint8_t write_value = 2, write_countdown = 3, preserve = 0x80; // instructions
} // namespace wdat

struct Wdat {
    std::uint32_t period_ms = 0, most = 0, least = 0; // of a count; counts that it takes
    base::FixedVector<WdatEntry, 48> entries;
};

} // namespace acpi
