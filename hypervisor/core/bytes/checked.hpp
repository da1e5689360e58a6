// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/checked.hpp - arithmetic on untrusted numbers: a result or nothing, never a wrap.
//
// Pure. Trust: every argument may come from a guest, firmware or an unverified bundle.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace bytes {

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum))
        return std::nullopt;
    return sum;
}

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_multiply(std::uint64_t a, std::uint64_t b) {
    std::uint64_t product = 0;
    if (__builtin_mul_overflow(a, b, &product))
        return std::nullopt;
    return product;
}

// Whether [offset, offset + length) lies inside [0, total).
[[nodiscard]] constexpr bool lies_within(std::uint64_t offset, std::uint64_t length, std::uint64_t total) {
    return offset <= total && length <= total - offset;
}

// How many units of `unit` bytes (> 0) hold `bytes`.
[[nodiscard]] constexpr std::uint64_t units(std::uint64_t bytes, std::uint64_t unit) {
    return bytes / unit + (bytes % unit != 0 ? 1 : 0);
}

// Whether every byte is 0. A word at a time: gaps of a bundle are checked with it at boot.
[[nodiscard]] bool is_zero(std::span<const std::byte> data);

// A value that has not been checked. The only way to the number is through a check.
template <typename T> class Untrusted {
public:
    constexpr Untrusted() = default;
    constexpr explicit Untrusted(T value) : value_(value) {}
    // The value if `valid(value)`, else nothing.
    template <typename Check> [[nodiscard]] constexpr std::optional<T> validate(Check&& valid) const {
        if (!valid(value_))
            return std::nullopt;
        return value_;
    }
    [[nodiscard]] constexpr std::optional<T> at_most(T limit) const {
        return validate([limit](T value) { return value <= limit; });
    }

private:
    T value_{};
};

} // namespace bytes
