// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/controls.hpp - the VM-execution, VM-exit and VM-entry controls as capabilities.hpp fits them; boot only.
//
// Pure.
// Spec: Intel SDM vol. 3 "VM-Execution Control Fields" and following, appendix A "VMX Capability Reporting Facility".
#pragma once

#include <array>
#include <cstdint>

namespace vmx {

enum class Word : std::uint8_t { pin, primary, secondary, exit, entry };
inline constexpr std::size_t word_count = 5;

inline constexpr std::uint32_t secondary_encls = 1u << 15; // who has it set is looked at by others

using ControlWords = std::array<std::uint32_t, word_count>;

} // namespace vmx
