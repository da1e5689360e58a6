// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/bytes.hpp - numbers and parts of bytes that nobody trusts: inside, or Damaged.
#pragma once

#include "image-tools/sbom/database.hpp"

#include <cstdint>
#include <string_view>

namespace sbom::bytes {

inline std::string_view part(std::string_view all, std::uint64_t at, std::uint64_t count) {
    if (at > all.size() || count > all.size() - at)
        throw Damaged("it is cut short, or points outside");
    return all.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(count));
}

template <typename T> T little(std::string_view all, std::uint64_t at) {
    const std::string_view bytes = part(all, at, sizeof(T));
    T out = 0;
    for (std::size_t i = sizeof(T); i-- > 0;)
        out = static_cast<T>(static_cast<T>(out << 8) | static_cast<unsigned char>(bytes[i]));
    return out;
}

inline std::uint32_t big32(std::string_view all, std::uint64_t at) {
    const std::string_view bytes = part(all, at, 4);
    std::uint32_t out = 0;
    for (const char c : bytes)
        out = out << 8 | static_cast<unsigned char>(c);
    return out;
}

// A string that a NUL ends.
inline std::string_view text(std::string_view all, std::uint64_t at) {
    const std::string_view rest = part(all, at, all.size() < at ? 1 : all.size() - at);
    const std::size_t end = rest.find('\0');
    if (end == std::string_view::npos)
        throw Damaged("a string has no end");
    return rest.substr(0, end);
}

} // namespace sbom::bytes
