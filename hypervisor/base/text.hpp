// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/text.hpp - formatted text into a fixed buffer: no heap, no locale, no varargs.
//
//   Text<128> line;
//   line << "partition " << name << " gpa " << hex(address);
//
// Overflow truncates and is remembered (truncated()); the buffer is always valid.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace base {

struct Hex {
    std::uint64_t value;
};
constexpr Hex hex(std::uint64_t value) {
    return {value};
}

template <std::size_t Capacity> class Text {
public:
    constexpr Text& operator<<(std::string_view text) {
        for (char c : text)
            put(c);
        return *this;
    }
    constexpr Text& operator<<(const char* text) { return *this << std::string_view{text}; }
    constexpr Text& operator<<(char c) {
        put(c);
        return *this;
    }
    template <std::integral Integer>
    requires(!std::same_as<Integer, char> && !std::same_as<Integer, bool>) constexpr Text&
    operator<<(Integer value) {
        if (value >= 0)
            return digits(static_cast<std::uint64_t>(value), 10);
        put('-');
        // Modulo 2^64: right for the smallest number too.
        return digits(0 - static_cast<std::uint64_t>(value), 10);
    }
    constexpr Text& operator<<(Hex value) { return (*this << "0x").digits(value.value, 16); }
    [[nodiscard]] constexpr std::string_view view() const { return {buffer_.data(), size_}; }
    [[nodiscard]] constexpr bool truncated() const { return truncated_; }
    constexpr void clear() {
        size_ = 0;
        truncated_ = false;
    }
    constexpr void shorten(std::size_t most) { size_ = size_ < most ? size_ : most; }

private:
    constexpr void put(char c) {
        if (size_ < Capacity)
            buffer_[size_++] = c;
        else
            truncated_ = true;
    }
    // <charconv> is not freestanding in g++ 13 and later.
    constexpr Text& digits(std::uint64_t value, unsigned radix) {
        std::array<char, 20> text{}; // as many digits as the largest number of 64 bits has
        std::size_t first = text.size();
        do {
            text[--first] = "0123456789abcdef"[value % radix];
            value /= radix;
        } while (value != 0);
        return *this << std::string_view{text.data() + first, text.size() - first};
    }

    std::array<char, Capacity> buffer_{};
    std::size_t size_ = 0;
    bool truncated_ = false;
};

} // namespace base
