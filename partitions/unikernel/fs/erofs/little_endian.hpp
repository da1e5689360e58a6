// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/erofs/little_endian.hpp - numbers out of bytes.
#pragma once

#include "hypervisor/base/fail.hpp"

#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>

namespace uk::fs {

template <typename Word> [[nodiscard]] Word little_endian(std::span<const std::byte> bytes) {
    static_assert(std::is_unsigned_v<Word>);
    base::expects(bytes.size() >= sizeof(Word), "little_endian: too few bytes");
    Word word;
    std::memcpy(&word, bytes.data(), sizeof(Word));
    return word;
}

} // namespace uk::fs
