// SPDX-License-Identifier: Apache-2.0
// partitions/net/words_test.hpp - for tests: numbers in packets, the highest byte first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace net::test {

using Bytes = std::vector<std::byte>;

inline void put(Bytes& to, std::size_t at, std::uint32_t value, unsigned bytes) {
    while (bytes-- > 0)
        to[at++] = static_cast<std::byte>(value >> 8 * bytes);
}
inline std::uint32_t get(const Bytes& from, std::size_t at, unsigned bytes) {
    std::uint32_t value = 0;
    while (bytes-- > 0)
        value = value << 8 | static_cast<std::uint8_t>(from[at++]);
    return value;
}

} // namespace net::test
