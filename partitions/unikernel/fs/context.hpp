// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/context.hpp - where a process stands in the tree and as whom. Copied by fork.
#pragma once

#include "partitions/unikernel/fs/overlay/node.hpp"

namespace uk::fs {

struct Context {
    Ref<Node> root;
    Ref<Node> working; // working directory
    std::uint32_t umask = 022;
    Credentials credentials;
};

} // namespace uk::fs
