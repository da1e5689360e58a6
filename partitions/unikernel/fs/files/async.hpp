// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/async.hpp - the signal that a file's news is (fcntl(2): F_SETOWN, F_SETSIG, O_ASYNC).
//
// What a file needs for it exists from the first request on and waits in the file's queue as a thread or epoll would.
#pragma once

#include "partitions/unikernel/fs/files/file.hpp"

namespace uk::fs {

// Errors: inval (no such kind), srch, nomem. Id 0: nobody any more.
[[nodiscard]] Status set_owner(File& file, FileOwner owner);
// Id 0: nobody, or nobody who is there.
[[nodiscard]] FileOwner owner_of(const File& file);
// 0: SIGIO without a word; others say what happened and at which descriptor. inval: no signal.
[[nodiscard]] Status set_signal(File& file, int number);
[[nodiscard]] int signal_of(const File& file);
// O_ASYNC. Errors: notty (a kind that tells nothing), nomem.
[[nodiscard]] Status set_async(File& file, int descriptor, bool on);
void forget_async(File& file); // it goes

} // namespace uk::fs
