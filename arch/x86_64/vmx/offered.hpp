// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/vmx/offered.hpp - whether Intel VT-x is offered, and switching it on; boot only.
#pragma once

#include "arch/x86_64/vmx/capabilities.hpp"
#include "hypervisor/core/vcpu/state.hpp"

#include <string_view>

namespace vmx {

// What is missing on this machine and where to switch it on, or nothing; `controls` are then what every VMCS uses.
[[nodiscard]] std::string_view missing(Capabilities& all, ControlWords& controls);

// Every VMXON region and VMCS begins with the revision of the CPU's format.
void mark(base::PhysAddr frame, const Capabilities& capabilities);

// VMX operation, with `region` as the CPU's VMXON region. False: VMXON failed or firmware locked this CPU otherwise.
[[nodiscard]] bool enable(base::PhysAddr region, const Capabilities& capabilities);

// On the CPU that will run the guest, in the hypervisor's own tables, once: what of its VMCS never changes.
void set_up(base::PhysAddr vmcs, const ControlWords& words, const vcpu::Controls& controls);

} // namespace vmx
