// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/pidfd.hpp - descriptors of processes: ready when the process has ended.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/task/process.hpp"

namespace uk::process {

// `flags`: O_NONBLOCK or 0. Errors: nomem.
[[nodiscard]] Result<Ref<fs::File>> make_pidfd(Pid& pid, std::uint32_t flags);
// Opens one for the current process and writes its number there. Errors: nomem, mfile, fault.
[[nodiscard]] Status give_pidfd(Pid& pid, mm::UserAddress to);
// The process that the descriptor is for. badf: it is none.
[[nodiscard]] Result<Pid*> pid_of(const fs::File& file);

} // namespace uk::process
