// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/virt/choose.hpp - which vendor's virtualization this machine has, and switching it on; boot only.
#pragma once

#include "hypervisor/base/address.hpp"

#include <string_view>

namespace virt {

// Boot CPU, once. Returns what is missing and where to switch it on, or nothing.
[[nodiscard]] std::string_view choose();
// Whether the CPU that this runs on is as the boot CPU.
[[nodiscard]] bool same_here();

struct Guest;
// `frame`, zeroed, becomes its VMCB or VMCS.
void make_guest(Guest& guest, base::PhysAddr frame);

// On each CPU: `area` and `block` are frames of its own. False: this CPU is locked otherwise than the first.
[[nodiscard]] bool enable(base::PhysAddr area, base::PhysAddr block);

} // namespace virt
