// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/words.hpp - the manifest's words for choices of plan/behaviour.hpp, in the order of the enumerators.
#pragma once

#include "hypervisor/core/plan/behaviour.hpp"

#include <array>
#include <string_view>

namespace plan {

inline constexpr std::array<std::string_view, 3> all_stopped_words{"poweroff", "reboot", "halt"};
inline constexpr std::array<std::string_view, 3> on_panic_words{"halt", "reboot", "poweroff"};
inline constexpr std::array<std::string_view, 3> restart_words{"no", "always", "on-failure"};
inline constexpr std::array<std::string_view, 2> smt_words{"exclusive", "shared"};
inline constexpr std::array<std::string_view, 2> store_bypass_words{"allowed", "disabled"};
inline constexpr std::array<std::string_view, 3> console_words{"none", "serial", "screen"};

} // namespace plan
