// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/tsc.hpp - the TSCs of all CPUs agree, or are made to: who compares two CPUs' times, guests included,
// may rely on it.
#pragma once

#include "hypervisor/kernel/cpu/cpu.hpp"

namespace hv::tsc {

// The boot CPU, `other` inside answer(): compares, sets the other's TSC_ADJUST where there is one, or refuses the machine that
// differs by more than a microsecond or does not answer.
void compare(const Cpu& other);

// A CPU that just started; returns when the boot CPU is done with it.
void answer();

} // namespace hv::tsc
