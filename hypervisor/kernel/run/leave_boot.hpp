// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/run/leave_boot.hpp - the last step of boot, on every CPU: boot's code and data go, guests run.
//
// Invariants: I1  no guest runs before boot's part of the image is overwritten and in no tables
//             I2  nothing that stays refers to it (link.ld checks this)
#pragma once

#include <atomic>
#include <cstdint>

namespace hv {

struct Cpu;

// CPUs, except the boot CPU, that run no boot code any more.
extern std::atomic<std::uint32_t> left_boot;

// Called by boot as its last act, on the boot CPU once all others have left; it must not return there.
[[noreturn]] void leave_boot(Cpu& cpu);

} // namespace hv
