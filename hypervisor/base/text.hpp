// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/text.hpp - formatted text into a fixed buffer: no heap, no locale, no varargs.
//
//   Text<128> line;
//   line << "partition " << name << " gpa " << hex(address);
//
// Overflow truncates and is remembered (truncated()); the buffer is always valid.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>

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
    template <typename Integer>
    requires(std::is_integral_v<Integer> && !std::is_same_v<Integer, char> &&
             !std::is_same_v<Integer, bool>) constexpr Text&
    operator<<(Integer value) {
        std::uint64_t magnitude = static_cast<std::uint64_t>(value);
        if constexpr (std::is_signed_v<Integer>)
            if (value < 0) {
                put('-');
                magnitude = std::uint64_t{0} - magnitude;
            }
        number(magnitude, 10);
        return *this;
    }
    constexpr Text& operator<<(Hex value) {
        put('0');
        put('x');
        number(value.value, 16);
        return *this;
    }
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
    constexpr void number(std::uint64_t value, unsigned radix) {
        std::array<char, 20> digits{};
        std::size_t count = 0;
        do {
            digits[count++] = "0123456789abcdef"[value % radix];
            value /= radix;
        } while (value != 0);
        while (count > 0)
            put(digits[--count]);
    }

    std::array<char, Capacity> buffer_{};
    std::size_t size_ = 0;
    bool truncated_ = false;
};

} // namespace base
