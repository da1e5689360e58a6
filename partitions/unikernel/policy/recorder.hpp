// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/policy/recorder.hpp - which system calls were made, for `caisson run --record-syscalls`.
//
// An audit note has all of them so far, a bit a call: at most one a second while new ones come, and the last before the
// partition ends. The tool joins the notes, so that one that is lost costs nothing.
#pragma once

#include <cstdint>

namespace uk::policy {

void record_call(std::uint64_t number);
// The partition is about to end.
void end_record();

} // namespace uk::policy
