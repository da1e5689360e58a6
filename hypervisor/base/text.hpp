// SPDX-License-Identifier: Apache-2.0
// hypervisor/base/text.hpp - formatted text into a fixed buffer: no heap, no locale, no varargs.
//
//   Text<128> line;
//   line << "partition " << name << " gpa " << hex(address);
//
// Overflow truncates and is remembered (truncated()); the buffer is always valid.
#pragma once

#include <array>
#include <charconv>
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
    requires(!std::same_as<Integer, char> && !std::same_as<Integer, bool>) Text& operator<<(Integer value) {
        return number(value, 10);
    }
    Text& operator<<(Hex value) { return (*this << "0x").number(value.value, 16); }
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
    Text& number(auto value, int radix) {
        std::array<char, 20> digits; // as many as the largest and the smallest number of 64 bits have
        const char* end = std::to_chars(digits.begin(), digits.end(), value, radix).ptr;
        return *this << std::string_view{digits.data(), end};
    }

    std::array<char, Capacity> buffer_{};
    std::size_t size_ = 0;
    bool truncated_ = false;
};

} // namespace base
