// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/identity.hpp - what the system calls itself, and the figures of the machine it
// tells.
#pragma once

#include <cstdint>
#include <string_view>

namespace uk::start {

inline constexpr std::string_view kernel_release = "6.1.0-caisson";
inline constexpr std::string_view kernel_version = "#1 Caisson";

[[nodiscard]] std::string_view hostname();
void set_hostname(std::string_view name); // cut to 64 bytes

[[nodiscard]] std::uint64_t tsc_hz();

} // namespace uk::start
