// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/piece.hpp - what the writers of disk formats give: bytes and where they go; all else is zero.
#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace disk {

inline constexpr std::uint64_t sector = 512;

struct Piece {
    std::uint64_t offset;
    std::string bytes;
};

// Little-endian numbers at their places in a record.
template <typename T> void put(std::string& record, std::size_t at, T value) {
    std::memcpy(record.data() + at, &value, sizeof value);
}

} // namespace disk
