// SPDX-License-Identifier: Apache-2.0
// loader/uefi/say.hpp - text for who stands before the machine, while Boot Services are there.
#pragma once

#include "loader/uefi/firmware.hpp"

#include <algorithm>
#include <string_view>

namespace loader::uefi {

// ASCII. Where firmware has no console it goes nowhere. Spec: UEFI 2.10 section 12.4.3.
inline void say(const SystemTable& system, std::string_view text) {
    std::array<char16_t, 64> line{};
    while (!text.empty() && system.text != nullptr) {
        const std::size_t length = std::min(text.size(), line.size() - 1);
        std::copy_n(text.begin(), length, line.begin());
        line[length] = 0;
        (void)system.text->output_string(system.text, line.data());
        text.remove_prefix(length);
    }
}

} // namespace loader::uefi
