// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/units.hpp - the machine's remapping units, whoever made them.
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "arch/x86_64/iommu/iommu.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv::dma {

using acpi::RemappingKind;

inline std::size_t unit_count() {
    return machine().units.size();
}

// use(the unit), of whichever kind it is: the only place that asks.
template <typename Vtd, typename Amdvi, typename Use> auto with_unit(std::size_t unit, Use use) {
    const cpu::Registers registers{base::VirtAddr{machine().units[unit]}};
    return machine().remapping == RemappingKind::vtd ? use(Vtd{registers}) : use(Amdvi{registers});
}

extern std::array<iommu::Frames, acpi::max_units> frames; // by unit

} // namespace hv::dma
