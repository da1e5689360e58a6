// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/layout.hpp - offsets and sizes of the tables that are read; shared with those that build them.
// Spec: ACPI 6.5, tables 5.3 (RSDP), 5.4 (header), 5.9 (FADT), 5.19-5.27 (MADT), 5.1 (Generic Address Structure).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace acpi {

// A signature as it lies in memory.
constexpr std::uint32_t signature(const char (&text)[5]) {
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i)
        value |= std::uint32_t{static_cast<unsigned char>(text[i])} << (8 * i);
    return value;
}

namespace rsdp { // the first 20 bytes are those of ACPI 1.0 and have the first checksum; revision 0: nothing follows
inline constexpr std::array<char, 8> signature{'R', 'S', 'D', ' ', 'P', 'T', 'R', ' '};
inline constexpr std::uint32_t revision = 15, rsdt = 16, length = 20, xsdt = 24, bytes_v1 = 20, bytes = 36;
} // namespace rsdp

namespace header { // every other table begins with its signature
inline constexpr std::uint32_t length = 4, bytes = 36;
} // namespace header

namespace fadt {
inline constexpr std::size_t dsdt = 40, command = 48, enable = 52, pm1a_event = 56, pm1a_control = 64,
                             pm1b_control = 68, timer = 76, pm1_event_length = 88, pm1_control_length = 89,
                             timer_length = 91, flags = 112, reset_register = 116, reset_value = 128,
                             x_dsdt = 140, x_pm1a_event = 148, x_pm1a_control = 172, x_pm1b_control = 184,
                             x_timer = 208;
inline constexpr std::uint32_t flag_no_fixed_button = 1u << 4, flag_timer_32_bits = 1u << 8,
                               flag_reset_register = 1u << 10, flag_hardware_reduced = 1u << 20;
} // namespace fadt

namespace spcr { // Serial Port Console Redirection Table, revision 2 on
inline constexpr std::size_t interface = 36, address_space = 40, register_bits = 41, access_size = 43,
                             address = 44, baud_rate = 58, bytes = 80;
inline constexpr std::uint8_t in_memory = 0, in_ports = 1;                // address_space
inline constexpr std::uint8_t is_16550 = 0, is_16450 = 1, as_said = 0x12; // interface
inline constexpr std::uint8_t any_access = 0, by_bytes = 1, by_words = 3; // access_size: 8, 32 bits
} // namespace spcr

namespace madt {
inline constexpr std::size_t entries = 44;
inline constexpr std::uint8_t type_local_apic = 0, type_io_apic = 1, type_x2apic = 9;
inline constexpr std::uint32_t cpu_enabled = 1, cpu_online_capable = 2;
} // namespace madt

} // namespace acpi
