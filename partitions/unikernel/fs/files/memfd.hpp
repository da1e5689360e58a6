// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/memfd.hpp - memfd_create(2): regular files without a place in the tree, with seals.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

#include <string_view>

namespace uk::fs {

inline constexpr std::size_t memfd_name_max = 249;

// `node` is an anonymous one, a regular file. `seals`: those it begins with. nomem.
[[nodiscard]] Result<Ref<File>> make_memfd(Ref<Node> node, std::string_view name, std::uint8_t seals);

// F_ADD_SEALS and F_GET_SEALS of a regular file. Errors: inval (it offers none), perm (sealed, or the file cannot
// write), busy (a range shows it that can write).
[[nodiscard]] Result<std::uint64_t> control_seals(File& file, std::uint32_t request, std::uint64_t argument);

} // namespace uk::fs
