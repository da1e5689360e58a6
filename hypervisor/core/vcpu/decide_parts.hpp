// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/decide_parts.hpp - what the parts of decide() share; not for other folders.
#pragma once

#include "hypervisor/core/vcpu/decide.hpp"

namespace vcpu {

// The answer is complete: skip the instruction.
constexpr Action done() {
    return {.advance = true};
}

// Counts a refusal and turns its rule into an action.
[[nodiscard]] Action refuse(Vcpu& vcpu, Refusal kind);

[[nodiscard]] Action on_msr_read(Vcpu& vcpu, const Exit& exit);
[[nodiscard]] Action on_msr_write(Vcpu& vcpu, const Exit& exit);

} // namespace vcpu
