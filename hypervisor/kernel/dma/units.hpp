// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/dma/units.hpp - the machine's remapping units, whoever made them.
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "arch/x86_64/iommu/amdvi.hpp"
#include "arch/x86_64/iommu/vtd.hpp"
#include "hypervisor/kernel/machine.hpp"

namespace hv::dma {

using acpi::RemappingKind;
using VtdUnit = iommu::vtd::Unit<cpu::Registers>;
using AmdviUnit = iommu::amdvi::Unit<cpu::Registers>;

inline const acpi::Remapping& remapping() {
    return machine().acpi.remapping;
}
inline std::size_t unit_count() {
    return remapping().units.size();
}

// The one place that knows the vendors: use(the unit), of whichever kind it is.
template <typename Use> auto with_unit(std::size_t unit, Use use) {
    const cpu::Registers registers{base::VirtAddr{remapping().units[unit]}};
    return remapping().kind == RemappingKind::vtd ? use(VtdUnit{registers}) : use(AmdviUnit{registers});
}

extern std::array<iommu::Frames, decltype(acpi::Remapping::units)::capacity()> frames; // by unit

} // namespace hv::dma
