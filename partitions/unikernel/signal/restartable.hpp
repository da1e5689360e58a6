// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/signal/restartable.hpp - restartable sequences (rseq(2)): a thread's own structure in its memory says on which CPU
// it runs, and a sequence that it names there starts again when the thread was switched out or took a signal within it.
#pragma once

#include "partitions/unikernel/task/process.hpp"

namespace uk::signal {

// The calling thread's structure from now on, or no more (`flags`). As Linux: EINVAL, EPERM (another signature), EBUSY, EFAULT.
Status register_restartable(std::uint64_t address, std::uint32_t bytes, std::uint32_t flags,
                            std::uint32_t signature);

// On the way to user mode of a thread that has one, behind a switch or before a signal's handler. What is wrong with it is SIGSEGV.
void settle_restartable(Thread& thread, TrapFrame& frame);

} // namespace uk::signal
