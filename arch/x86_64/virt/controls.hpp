// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/virt/controls.hpp - what a guest's hardware state is made of besides its start registers.
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstdint>

namespace virt {

struct Controls {
    base::PhysAddr io_permissions, msr_permissions, second_stage;
    std::uint64_t cr4_allowed; // VMX: the other bits exit
};

} // namespace virt
