// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/leave_boot.hpp - the last step of boot, on every CPU: boot's code and data go, guests run.
//
// Invariants: I1  no guest runs before boot's part of the image is overwritten and in nobody's tables
//             I2  nothing that stays refers to it (link.ld checks this)
#pragma once

namespace hv {

struct Cpu;

// Called by boot as its last act; it must not return there. All CPUs meet here.
[[noreturn]] void leave_boot(Cpu& cpu);

} // namespace hv
