// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/weak_intercepts_test.hpp - the one override of what AMD-V intercepts: what caisson_weak.elf leaves open. No
// product build includes it.
#pragma once

#include "arch/x86_64/svm/exits.hpp"
#include "hypervisor/base/weakness.hpp"

namespace svm {

inline void weaken(std::array<std::uint32_t, 6>& intercepted) {
    const auto open = [&](std::uint32_t code) { intercepted[code / 32] &= ~(1u << code % 32); };
    if (base::weak("open_counters"))
        open(exit_code::rdpmc);
    if (base::weak("open_vmload")) {
        open(exit_code::vmload);
        open(exit_code::vmsave);
    }
}

} // namespace svm
