// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/cursor_test.hpp - a bounded cursor over bytes, for tests and fuzz targets that take their input apart.
//
// A read that does not fit gives nothing and does not move the cursor.
#pragma once

#include "hypervisor/core/bytes/reader.hpp"

namespace bytes {

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
