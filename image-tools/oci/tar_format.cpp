// SPDX-License-Identifier: Apache-2.0
#include "image-tools/oci/tar_format.hpp"

#include <algorithm>

namespace oci::tar {

std::string text(const Block& block, Field field) {
    const auto begin = block.begin() + static_cast<std::ptrdiff_t>(field.offset);
    const auto end = begin + static_cast<std::ptrdiff_t>(field.bytes);
    return std::string(begin, std::find(begin, end, std::uint8_t{0}));
}

std::optional<std::int64_t> number(const Block& block, Field field) {
    const std::span<const std::uint8_t> bytes = std::span(block).subspan(field.offset, field.bytes);
    if ((bytes[0] & 0x80) != 0) {
        // Two's complement in the field's width, the top bit of the first byte being the mark.
        const bool negative = (bytes[0] & 0x40) != 0;
        std::uint64_t value = negative ? ~std::uint64_t{0} : 0;
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            const std::uint8_t byte =
                i == 0 ? static_cast<std::uint8_t>((bytes[0] & 0x7f) | (negative ? 0x80 : 0)) : bytes[i];
            const std::uint64_t sign = negative ? 0x1ff : 0;
            if (value >> 55 != sign) {
                return std::nullopt;
            }
            value = value << 8 | byte;
        }
        return static_cast<std::int64_t>(value);
    }
    std::size_t at = 0;
    while (at < bytes.size() && bytes[at] == ' ') {
        ++at;
    }
    std::int64_t value = 0;
    for (; at < bytes.size() && bytes[at] >= '0' && bytes[at] <= '7'; ++at) {
        value = value * 8 + (bytes[at] - '0'); // at most 12 digits: 36 bits
    }
    for (; at < bytes.size(); ++at) {
        if (bytes[at] == 0) {
            break; // after a NUL anything may be left over
        }
        if (bytes[at] != ' ') {
            return std::nullopt;
        }
    }
    return value;
}

bool checksum_matches(const Block& block) {
    std::int64_t as_unsigned = 0;
    std::int64_t as_signed = 0;
    for (std::size_t i = 0; i < block.size(); ++i) {
        const bool own = i >= checksum.offset && i < checksum.offset + checksum.bytes;
        const std::uint8_t byte = own ? std::uint8_t{' '} : block[i];
        as_unsigned += byte;
        as_signed += static_cast<std::int8_t>(byte);
    }
    const auto stored = number(block, checksum);
    return stored && (*stored == as_unsigned || *stored == as_signed);
}

bool is_zero(const Block& block) {
    return std::all_of(block.begin(), block.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool looks_like_header(const Block& block) {
    return !is_zero(block) && checksum_matches(block);
}

std::string prefix_of(const Block& block) {
    constexpr std::string_view posix{"ustar\0", 6};
    constexpr std::string_view star{"tar\0", 4};
    const auto holds = [&block](Field field, std::string_view text) {
        return std::equal(text.begin(), text.end(),
                          block.begin() + static_cast<std::ptrdiff_t>(field.offset));
    };
    if (!holds(magic, posix)) {
        return {};
    }
    return text(block, holds(star_trailer, star) ? star_prefix : prefix);
}

std::optional<std::uint64_t> decimal(std::string_view digits) {
    if (digits.empty() || digits.size() > 19) {
        return std::nullopt;
    }
    std::uint64_t value = 0;
    for (const char c : digits) {
        if (c < '0' || c > '9') {
            return std::nullopt;
        }
        value = value * 10 + static_cast<std::uint64_t>(c - '0');
    }
    if (value > static_cast<std::uint64_t>(INT64_MAX)) {
        return std::nullopt;
    }
    return value;
}

std::optional<Time> time(std::string_view value) {
    const bool negative = value.starts_with('-');
    if (negative) {
        value.remove_prefix(1);
    }
    const auto dot = value.find('.');
    const auto seconds = decimal(value.substr(0, dot));
    if (!seconds) {
        return std::nullopt;
    }
    std::uint32_t nanoseconds = 0;
    bool more = false;
    if (dot != std::string_view::npos) {
        const std::string_view fraction = value.substr(dot + 1);
        std::uint32_t scale = 100'000'000;
        for (const char c : fraction) {
            if (c < '0' || c > '9') {
                return std::nullopt;
            }
            nanoseconds += scale * static_cast<std::uint32_t>(c - '0');
            more = more || (scale == 0 && c != '0');
            scale /= 10;
        }
    }
    auto whole = static_cast<std::int64_t>(*seconds);
    if (negative) {
        whole = -whole;
        nanoseconds += more ? 1 : 0;
        if (nanoseconds != 0) {
            whole -= 1;
            nanoseconds = 1'000'000'000 - nanoseconds;
        }
    }
    return Time{whole, nanoseconds};
}

std::optional<std::string> base64(std::string_view value) {
    constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    while (value.ends_with('=')) {
        value.remove_suffix(1);
    }
    std::string bytes;
    std::uint32_t bits = 0;
    unsigned count = 0;
    for (const char c : value) {
        const auto digit = alphabet.find(c);
        if (digit == std::string_view::npos) {
            return std::nullopt;
        }
        bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes += static_cast<char>(bits >> count & 0xff);
        }
    }
    return bytes;
}

std::optional<std::string> percent_decoded(std::string_view value) {
    const auto digit = [](char c) -> int {
        if (c >= '0' && c <= '9') {
            return c - '0';
        }
        if (c >= 'A' && c <= 'F') {
            return c - 'A' + 10;
        }
        return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
    };
    std::string text;
    for (std::size_t i = 0; i < value.size(); ++i) {
        if (value[i] != '%') {
            text += value[i];
            continue;
        }
        const int high = i + 2 < value.size() ? digit(value[i + 1]) : -1;
        const int low = i + 2 < value.size() ? digit(value[i + 2]) : -1;
        if (high < 0 || low < 0) {
            return std::nullopt;
        }
        text += static_cast<char>(high * 16 + low);
        i += 2;
    }
    return text;
}

} // namespace oci::tar
