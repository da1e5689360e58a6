// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/iommu.hpp - what the hypervisor gives to and gets from a remapping unit of either vendor.
//
// Registers:  the Mmio seam (drivers/seams.hpp).
#pragma once

#include "arch/x86_64/cpu/raw.hpp"
#include "hypervisor/base/address.hpp"

#include <optional>
#include <span>

namespace iommu {

inline constexpr std::size_t words_a_frame = 512;
using Words = std::span<volatile std::uint64_t>;

// Frames of the hypervisor's, zeroed, mapped one to one. The table serves all units and says what Unit::fill wrote; queue
// and log are one unit's. Their contents are in memory, not in caches: units need not snoop.
struct Frames {
    Words table; // Unit::table_frames
    Words queue, log;
    bool wide = false; // VT-d: interrupt entries name CPUs by 32 bits; every unit must be able to
};

// An access that a unit refused.
struct Fault {
    std::uint16_t requester = 0; // bus, device, function
    std::uint8_t reason = 0;     // VT-d: fault reason; AMD-Vi: event code
    bool write = false;
    bool lost = false; // further ones were not recorded
    std::uint64_t address = 0;
};

inline std::uint64_t physical(const volatile std::uint64_t& word) {
    return cpu::address_of(word).value();
}

} // namespace iommu
