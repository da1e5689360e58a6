// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/acpi/kept.hpp - what of the ACPI tables (tables.hpp) is needed as long as the machine runs: to end it, and to
// ask its remapping units what they refused.
//
// Pure data.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"

#include <cstdint>
#include <optional>

namespace acpi {

struct Fadt { // registers in I/O space only
    std::optional<std::uint16_t> pm1a_control, pm1b_control, reset, timer, button, command;
    bool timer_has_32_bits = false; // else 24
    std::uint8_t reset_value = 0, enable = 0;
    std::uint64_t dsdt = 0;
};
struct SleepType { // SLP_TYP values of \_S5_
    std::uint8_t pm1a = 0, pm1b = 0;
};

enum class RemappingKind : std::uint8_t { none, vtd, amdvi };

inline constexpr std::size_t max_units = 64;
using Units = base::FixedVector<std::uint64_t, max_units>;

} // namespace acpi
