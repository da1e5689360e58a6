// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/process/out_of_memory.hpp - who ends when a page that a program may have cannot be had.
#pragma once

namespace uk::process {

// The process with the most memory is killed, PID 1 too (status 137), with a line and a note for the audit log; if one is
// already about to end, nobody else is. May let others run: the caller then looks again whether there is memory.
void relieve_memory();

// The same where nobody else may run now.
void choose_victim();

} // namespace uk::process
