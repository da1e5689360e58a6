// SPDX-License-Identifier: Apache-2.0
// image-tools/board/lines.hpp - texts of other programs, line by line and word by word.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace board {

inline std::string_view trimmed(std::string_view text) {
    constexpr std::string_view blanks = " \t\r\n";
    const std::size_t from = text.find_first_not_of(blanks);
    return from == std::string_view::npos ? std::string_view{}
                                          : text.substr(from, text.find_last_not_of(blanks) - from + 1);
}

inline std::vector<std::string_view> split(std::string_view text, char at) {
    std::vector<std::string_view> out;
    while (!text.empty()) {
        const std::size_t end = text.find(at);
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos)
            break;
        text.remove_prefix(end + 1);
    }
    return out;
}
inline std::vector<std::string_view> lines_of(std::string_view text) {
    return split(text, '\n');
}
inline std::vector<std::string_view> words_of(std::string_view text) {
    std::vector<std::string_view> out;
    for (const std::string_view word : split(text, ' '))
        if (!trimmed(word).empty())
            out.push_back(trimmed(word));
    return out;
}

// All of it, without a prefix.
inline std::optional<std::uint64_t> hex_of(std::string_view digits) {
    std::uint64_t value = 0;
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, value, 16);
    return error == std::errc{} && stop == end && !digits.empty() ? std::optional{value} : std::nullopt;
}

} // namespace board
