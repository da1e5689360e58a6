// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/identity.hpp - what the system calls itself.
#pragma once

#include <string_view>

namespace uk {

inline constexpr std::string_view kernel_release = "6.1.0-caisson";
inline constexpr std::string_view kernel_version = "#1 Caisson";

[[nodiscard]] std::string_view hostname();
void set_hostname(std::string_view name); // cut to 64 bytes

} // namespace uk
