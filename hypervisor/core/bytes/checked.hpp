// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/checked.hpp - arithmetic on untrusted numbers: a result or nothing, never a
// wrap.
//
// Pure.
// Trust:      every argument may come from a guest, firmware or an unverified bundle.
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

} // namespace bytes
