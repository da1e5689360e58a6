// SPDX-License-Identifier: Apache-2.0
// image-tools/files/zeros.hpp - are bytes all zero? Data that is not is told by its first bytes.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>

namespace files {

inline bool all_zero(std::span<const std::uint8_t> bytes) {
    return bytes.empty() ||
           (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Zero bytes in whole pieces of `piece` bytes that have nothing else.
inline std::uint64_t zero_bytes(std::span<const std::uint8_t> bytes, std::size_t piece = 512) {
    std::uint64_t count = 0;
    while (!bytes.empty()) {
        const std::span<const std::uint8_t> part = bytes.first(std::min(piece, bytes.size()));
        count += all_zero(part) ? part.size() : 0;
        bytes = bytes.subspan(part.size());
    }
    return count;
}

} // namespace files
