// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/syscalls/terminal.hpp - ioctl(2) on either end of a terminal.
#pragma once

#include "partitions/unikernel/fs/files/pty.hpp"
#include "partitions/unikernel/syscalls/syscalls.hpp"

namespace uk {

// notty: no request of terminals.
[[nodiscard]] SyscallResult control_terminal(fs::File& file, fs::Pty& pty, std::uint32_t request,
                                             mm::UserAddress argument);

} // namespace uk
