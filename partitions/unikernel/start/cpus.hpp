// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/cpus.hpp - the CPUs of a partition besides its first.
#pragma once

namespace uk::start {

// Starts those with the numbers 1 to count - 1, one after the other. The kernel lock is held, the kernel's own tables are in
// force and the first ones are still there. One that does not come up in time ends the partition.
void start_other_cpus(unsigned count);

} // namespace uk::start
