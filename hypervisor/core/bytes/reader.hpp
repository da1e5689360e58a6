// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/reader.hpp - plain copies of structures in and out of bytes.
//
// Pure.
// Trust:      the bytes are hostile.
// Invariants: never reads outside the span it was given. Values are copied, so alignment does not
//             matter. Little-endian machine.
#pragma once

#include "hypervisor/core/bytes/checked.hpp"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace bytes {

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) {
    std::uint64_t sum = 0;
    if (__builtin_add_overflow(a, b, &sum))
        return std::nullopt;
    return sum;
}

// Whether every byte is 0. A word at a time: gaps of a bundle are checked with it at boot.
[[nodiscard]] bool is_zero(std::span<const std::byte> data);

static_assert(std::endian::native == std::endian::little);

// A copy of the T at `offset`, or nothing where it does not lie inside `data`.
template <typename T>
requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::optional<T> load(std::span<const std::byte> data, std::uint64_t offset) {
    if (!lies_within(offset, sizeof(T), data.size()))
        return std::nullopt;
    T value;
    std::memcpy(&value, data.data() + offset, sizeof(T));
    return value;
}

// Stores `value` at `offset`; false, and nothing written, where it does not fit.
template <typename T>
requires std::is_trivially_copyable_v<T>
[[nodiscard]] bool store(std::span<std::byte> data, std::uint64_t offset, const T& value) {
    if (!lies_within(offset, sizeof(T), data.size()))
        return false;
    std::memcpy(data.data() + offset, &value, sizeof(T));
    return true;
}

// The bytes of a plain structure.
template <typename T>
requires std::is_trivially_copyable_v<T>
[[nodiscard]] std::span<const std::byte> of(const T& value) {
    return std::as_bytes(std::span<const T, 1>{&value, 1});
}

} // namespace bytes
