// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/exit.hpp - the end of threads and processes.
//
// The last thread of a process takes its memory and files with it and leaves a zombie to the parent. The end of PID 1 is the
// end of the partition, whoever else still runs.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::process {

// The current thread ends: its robust mutexes are released, whoever joins it is woken. With the last thread
// the process ends, with `status`.
[[noreturn]] void end_thread(int status);

// The current process ends, with all its threads.
[[noreturn]] void end_process(int status);

// A zombie goes: it was waited for, or nobody wants to.
void reap(Process& process);

} // namespace uk::process
