// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bytes/checked.cpp - looking for a byte that is not 0.
#include "hypervisor/core/bytes/reader.hpp"

#include <cstring>

namespace bytes {

namespace {

std::uint64_t word_at(const std::byte* p) {
    std::uint64_t word;
    std::memcpy(&word, p, sizeof(word));
    return word;
}

} // namespace

bool is_zero(std::span<const std::byte> data) {
    const std::byte* p = data.data();
    std::size_t left = data.size();
    for (; left >= 64; left -= 64, p += 64) {
        const std::uint64_t any = word_at(p) | word_at(p + 8) | word_at(p + 16) | word_at(p + 24) |
                                  word_at(p + 32) | word_at(p + 40) | word_at(p + 48) | word_at(p + 56);
        if (any != 0)
            return false;
    }
    for (; left > 0; --left, ++p)
        if (*p != std::byte{0})
            return false;
    return true;
}

} // namespace bytes
