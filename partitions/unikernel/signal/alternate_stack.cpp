// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/alternate_stack.cpp - see alternate_stack.hpp.
#include "partitions/unikernel/signal/alternate_stack.hpp"

namespace uk::signal {

namespace {
constexpr std::uint64_t least_stack_bytes = 2048;
}

UserStack describe(const AlternateStack& stack, std::uint64_t rsp) {
    return {stack.base, stack.flags | (on_alternate(stack, rsp) ? stack_flag::on : 0), 0, stack.bytes};
}

Status change_alternate(AlternateStack& stack, const UserStack& wanted, std::uint64_t rsp) {
    if (on_alternate(stack, rsp))
        return base::Failure{Errno::perm};
    const std::uint32_t mode = wanted.flags & ~stack_flag::autodisarm;
    if (mode != stack_flag::disabled && mode != stack_flag::on && mode != 0)
        return base::Failure{Errno::inval};
    if (mode == stack_flag::disabled) {
        stack = {0, 0, wanted.flags};
        return base::success;
    }
    if (wanted.bytes < least_stack_bytes)
        return base::Failure{Errno::nomem};
    stack = {wanted.base, wanted.bytes, wanted.flags & stack_flag::autodisarm};
    return base::success;
}

} // namespace uk::signal
