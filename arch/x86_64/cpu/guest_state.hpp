// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/guest_state.hpp - registers that a guest owns while it runs and that no VMCB holds, and its memory: what
// must be gone before the next generation starts (docs/hypervisor.md rule 23, steps 6 and 7).
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace cpu {

// Vector and FPU state, XCR0, DR0-3, CR2, TSC_AUX as after power-on.
void reset_guest_state();

// Zeroes past the caches (non-temporal stores), so that an uncached alias cannot read what was there. `memory` is whole
// pages. Uses a vector register: on a CPU that is between two guest lives.
void scrub(std::span<std::byte> memory);

} // namespace cpu
