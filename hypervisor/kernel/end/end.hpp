// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/end/end.hpp - the machine's ends: the last records, the other CPUs, power. What ends the machine from
// below (a panic, a refusal) is declared in panic/panic.hpp and done here.
#pragma once

namespace hv {

// All partitions are done: the plan's onAllStopped.
[[noreturn]] void end_in_order();

} // namespace hv
