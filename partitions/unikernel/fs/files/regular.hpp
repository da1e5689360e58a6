// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/regular.hpp - positions in files that have a size.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

inline constexpr std::uint64_t largest_offset = (std::uint64_t{1} << 63) - 1;

// lseek(2) on a file that keeps a position.
[[nodiscard]] Result<std::uint64_t> seek_position(File& file, std::int64_t offset, int whence);

} // namespace uk::fs
