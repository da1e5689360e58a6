// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/alternate_stack.hpp - sigaltstack(2): when the stack is in use, and what may be set.
#pragma once

#include "partitions/unikernel/signal/frame_layout.hpp"

namespace uk::signal {

// `rsp`: the program's.
[[nodiscard]] UserStack describe(const AlternateStack& stack, std::uint64_t rsp);
// EPERM while it is in use, EINVAL for an unknown mode, ENOMEM for one that is too small.
[[nodiscard]] Status change_alternate(AlternateStack& stack, const UserStack& wanted, std::uint64_t rsp);

} // namespace uk::signal
