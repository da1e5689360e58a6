// SPDX-License-Identifier: Apache-2.0
// drivers/pci/virtio.hpp - whether a virtio device reaches memory through the IOMMU, as other devices do, or past it; boot only.
//
// Spec: VIRTIO 1.2 sections 4.1.4.3 "Common configuration structure layout", 6 (VIRTIO_F_VERSION_1, VIRTIO_F_ACCESS_PLATFORM).
#pragma once

#include "drivers/seams.hpp"
#include "hypervisor/core/pci/function.hpp"

namespace drivers {

// `common`: its common configuration.
template <Mmio Registers> bool obeys_iommu(const Registers& common) {
    constexpr std::uint32_t feature_select = 0, features = 4, upper_half = 1, version_1 = 1,
                            access_platform = 2;
    common.write32(feature_select, upper_half);
    return (common.read32(features) & (version_1 | access_platform)) == (version_1 | access_platform);
}

// What the registers of `function`'s configuration space cannot tell. reach(address): its registers, or nothing.
template <typename Reach> void settle_virtio(pci::Function& function, Reach reach) {
    constexpr std::uint32_t common_bytes = 56;
    const pci::Bar& bar = function.bars[(function.virtio_common & 7) % function.bars.size()];
    if (function.vendor != pci::virtio_vendor || function.virtio_multiplier == 0 || bar.base == 0 ||
        bar.bytes < (function.virtio_common & ~7u) + std::uint64_t{common_bytes})
        return;
    if (const auto registers = reach(function.address_of(function.virtio_common));
        registers && obeys_iommu(*registers))
        function.reset = pci::Reset::virtio;
}

} // namespace drivers
