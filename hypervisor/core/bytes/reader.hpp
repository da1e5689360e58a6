// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/reader.hpp - a bounded cursor over bytes, and plain copies of structures in and out
// of them.
//
// Pure. Trust: the bytes are hostile. Invariants: never reads outside the span it was given; a read that does
// not fit gives nothing and does not move the cursor. Values are copied, so alignment does not matter.
// Little-endian machine.
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

class Reader {
public:
    constexpr explicit Reader(std::span<const std::byte> data) : data_(data) {}

    [[nodiscard]] constexpr std::size_t position() const { return position_; }
    [[nodiscard]] constexpr std::size_t remaining() const { return data_.size() - position_; }
    [[nodiscard]] constexpr bool at_end() const { return remaining() == 0; }

    template <typename T> [[nodiscard]] std::optional<T> read() {
        auto value = load<T>(data_, position_);
        if (value)
            position_ += sizeof(T);
        return value;
    }
    // The next `length` bytes themselves.
    [[nodiscard]] constexpr std::optional<std::span<const std::byte>> take(std::uint64_t length) {
        if (length > remaining())
            return std::nullopt;
        const auto taken = data_.subspan(position_, static_cast<std::size_t>(length));
        position_ += static_cast<std::size_t>(length);
        return taken;
    }
    [[nodiscard]] constexpr bool skip(std::uint64_t length) { return take(length).has_value(); }
    // Moves to a multiple of `alignment` (a power of two) counted from the span's start.
    [[nodiscard]] constexpr bool align(std::size_t alignment) {
        return skip((alignment - position_ % alignment) % alignment);
    }
    // A cursor over the next `length` bytes alone, for records that say their own length.
    [[nodiscard]] constexpr std::optional<Reader> sub_reader(std::uint64_t length) {
        const auto taken = take(length);
        if (!taken)
            return std::nullopt;
        return Reader{*taken};
    }

private:
    std::span<const std::byte> data_;
    std::size_t position_ = 0;
};

} // namespace bytes
