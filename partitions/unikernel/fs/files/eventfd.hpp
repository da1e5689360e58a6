// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/eventfd.hpp - eventfd(2).
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

// `node` is an anonymous one; `flags`: open_flag::non_block. A semaphore is read one by one.
[[nodiscard]] Result<Ref<File>> make_eventfd(Ref<Node> node, std::uint64_t value, bool semaphore,
                                             std::uint32_t flags);

} // namespace uk::fs
