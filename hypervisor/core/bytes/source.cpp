// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/source.cpp
#include "hypervisor/core/bytes/source.hpp"

namespace bytes {

std::span<const std::byte> Source::view(std::uint64_t offset, std::uint64_t length) const {
    if (length == 0 || !lies_within(offset, length, size_))
        return {};
    const auto piece = fetch_(context_, base_ + offset, static_cast<std::size_t>(length));
    return piece.size() <= length ? piece : piece.first(static_cast<std::size_t>(length));
}

bool Source::copy(std::uint64_t offset, std::span<std::byte> to) const {
    std::byte* next = to.data();
    return each(offset, to.size(), [&next](std::span<const std::byte> piece) {
        std::memcpy(next, piece.data(), piece.size());
        next += piece.size();
        return true;
    });
}

std::optional<Source> Source::slice(std::uint64_t offset, std::uint64_t length) const {
    if (!lies_within(offset, length, size_))
        return std::nullopt;
    Source part = *this;
    part.base_ += offset;
    part.size_ = length;
    return part;
}

} // namespace bytes
