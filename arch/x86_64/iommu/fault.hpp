// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/fault.hpp - an access that a remapping unit refused, as both vendors report it.
#pragma once

#include <cstdint>

namespace iommu {

struct Fault {
    std::uint16_t requester = 0; // bus, device, function
    std::uint8_t reason = 0;     // VT-d: fault reason; AMD-Vi: event code
    bool write = false;
    bool lost = false; // further ones were not recorded
    std::uint64_t address = 0;
};

} // namespace iommu
