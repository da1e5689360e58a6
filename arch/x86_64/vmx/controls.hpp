// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/controls.hpp - the VM-execution, VM-exit and VM-entry controls, as boot has fitted them (capabilities.hpp).
//
// Pure.
// Spec: Intel SDM vol. 3 "VM-Execution Control Fields" and following, appendix A "VMX Capability Reporting Facility".
#pragma once

#include <array>
#include <cstdint>

namespace vmx {

enum class Word : std::uint8_t { pin, primary, secondary, exit, entry };
inline constexpr std::size_t word_count = 5;

// Bits others look at.
namespace control {
inline constexpr std::uint32_t pin_interrupts = 1u << 0, entry_long_mode = 1u << 9,
                               secondary_encls = 1u << 15;
}

using ControlWords = std::array<std::uint32_t, word_count>;

} // namespace vmx
