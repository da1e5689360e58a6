// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/source.hpp - bytes that need not be mapped all at once.
//
// A Source is a size and a way to see a piece of it: a span on the host, a short window over physical memory
// in the hypervisor. Whoever hashes or parses a section asks for pieces, so one code serves both.
//
// Pure.
// Invariants: a view never reaches outside [0, size()); a view is valid until the next view of the
//             same source.
#pragma once

#include "hypervisor/core/bytes/checked.hpp"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <type_traits>

namespace bytes {

class Source {
public:
    // Gives between 1 and `length` bytes at `offset` (both already checked against the size), or an empty
    // span when they cannot be seen. Fewer than `length` means: ask again for the rest (a window ends there).
    using Fetch = std::span<const std::byte> (*)(const void* context, std::uint64_t offset,
                                                 std::size_t length);

    constexpr Source() = default;
    constexpr Source(const void* context, Fetch fetch, std::uint64_t size)
        : context_(context), fetch_(fetch), size_(size) {}
    // All of it in memory.
    explicit Source(std::span<const std::byte> whole)
        : Source(
              whole.data(),
              [](const void* data, std::uint64_t offset, std::size_t length) {
                  return std::span{static_cast<const std::byte*>(data) + offset, length};
              },
              whole.size()) {}
    // A callable `span<const byte>(uint64_t offset, size_t length)`, which must outlive the source.
    template <typename BytesAt>
    requires std::is_invocable_r_v < std::span<const std::byte>,
    const BytesAt&, std::uint64_t,
        std::size_t > Source(const BytesAt& bytes_at, std::uint64_t size)
        : Source(
              &bytes_at,
              [](const void* context, std::uint64_t offset, std::size_t length) {
                  return std::span<const std::byte>{(*static_cast<const BytesAt*>(context))(offset, length)};
              },
              size) {}

    [[nodiscard]] constexpr std::uint64_t size() const { return size_; }

    // 1 to `length` bytes at `offset`; empty when out of range, when length is 0 or when they cannot be seen.
    [[nodiscard]] std::span<const std::byte> view(std::uint64_t offset, std::uint64_t length) const;

    // Fills `to` from `offset`; false where it does not lie inside or cannot be seen (`to` is then
    // undefined).
    [[nodiscard]] bool copy(std::uint64_t offset, std::span<std::byte> to) const;

    // A copy of the T at `offset`.
    template <typename T>
    requires std::is_trivially_copyable_v<T>
    [[nodiscard]] std::optional<T> load(std::uint64_t offset) const {
        T value;
        if (!copy(offset, std::as_writable_bytes(std::span<T, 1>{&value, 1})))
            return std::nullopt;
        return value;
    }

    // [offset, offset + length) as a source of its own.
    [[nodiscard]] std::optional<Source> slice(std::uint64_t offset, std::uint64_t length) const;

    // Calls `use(span)` over [offset, offset + length) in order, piece by piece, until it returns false. True
    // if all was seen and used.
    template <typename Use>
    [[nodiscard]] bool each(std::uint64_t offset, std::uint64_t length, Use&& use) const {
        if (!lies_within(offset, length, size_))
            return false;
        while (length > 0) {
            const auto piece = view(offset, length);
            if (piece.empty() || !use(piece))
                return false;
            offset += piece.size();
            length -= piece.size();
        }
        return true;
    }

private:
    const void* context_ = nullptr;
    Fetch fetch_ = nullptr;
    std::uint64_t base_ = 0;
    std::uint64_t size_ = 0;
};

} // namespace bytes
