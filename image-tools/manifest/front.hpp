// SPDX-License-Identifier: Apache-2.0
// image-tools/manifest/front.hpp - what stands at the front of a text: looked for, and taken off where it is there.
//
// Internal to image-tools/manifest.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace manifest {

// A decimal number up to `most`. Nothing: there is none, or a larger one.
inline std::optional<std::uint32_t> take_number(std::string_view& text, std::uint32_t most) {
    std::uint32_t value = 0;
    const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || value > most)
        return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(stop - text.data()));
    return value;
}

inline bool take(std::string_view& text, std::string_view word) {
    if (!text.starts_with(word))
        return false;
    text.remove_prefix(word.size());
    return true;
}

} // namespace manifest
