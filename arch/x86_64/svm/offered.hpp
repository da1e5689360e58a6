// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/svm/offered.hpp - whether AMD-V is offered, and switching it on; boot only.
#pragma once

#include "hypervisor/base/address.hpp"

#include <string_view>

namespace svm {

// What is missing on this machine and where to switch it on, or nothing.
[[nodiscard]] std::string_view missing();

// EFER.SVME and the host save area; leaves GIF = 0. False: firmware locked this CPU otherwise than the first.
[[nodiscard]] bool enable(base::PhysAddr host_save_area);

} // namespace svm
