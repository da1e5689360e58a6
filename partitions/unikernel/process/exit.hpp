// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/exit.hpp - the end of threads and of the process.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::process {

// The current thread ends: its robust mutexes are released, whoever joins it is woken. With the last thread
// the process ends with `status`.
[[noreturn]] void end_thread(int status);

// The container's process ends, and with it the partition.
[[noreturn]] void end_process(int status);
[[noreturn]] void end_process_by_signal(int number);

} // namespace uk::process
