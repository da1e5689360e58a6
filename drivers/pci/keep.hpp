// SPDX-License-Identifier: Apache-2.0
// drivers/pci/keep.hpp - what is kept of a function for as long as partitions run (function.hpp): its registers as they are, and how
// it is reset; boot only.
//
// Spec: PCI Express 5.0 section 6.6.2 "Function Level Reset (FLR)"; PCI Advanced Features ECN; 82574 data sheet 10.2.2.1 (CTRL.RST);
// VIRTIO 1.2 section 4.1.4.3 (device_status).
#pragma once

#include "drivers/pci/function.hpp"
#include "hypervisor/core/pci/function.hpp"

namespace drivers {

// `config`: where the function's 4 KiB of configuration space lie, `registers`: the same.
template <Mmio Registers>
KeptFunction keep(const Registers& registers, std::uint64_t config, const pci::Function& function) {
    using Owned = OwnedFunction<Registers>;
    constexpr std::uint32_t express_reset = 1u << 15, features_reset = 1, e1000_reset = 1u << 26,
                            virtio_status = 20;
    KeptFunction kept;
    kept.identity = registers.read32(0);
    kept.express = function.express;
    kept.msix = function.msix;
    for (std::uint32_t i = 0; i < kept.header.size(); ++i)
        kept.header[i] = registers.read32(Owned::cache_line + 4 * i);
    const std::uint32_t control = function.express + Owned::device_control;
    kept.control = function.express != 0 ? registers.read32(control) & 0x7fff : 0;
    const auto by = [&kept](std::uint64_t at, std::uint32_t value, std::uint8_t bytes, std::uint32_t mask) {
        kept.reset = {at, value, bytes, true};
        kept.until_clear = mask;
    };
    if (function.reset == pci::Reset::express)
        by(config + control, kept.control | express_reset, 4, express_reset);
    else if (function.reset == pci::Reset::advanced_features)
        by(config + function.features + 4u, features_reset, 4, features_reset);
    else if (function.reset == pci::Reset::e1000)
        by(function.bars[0].base, e1000_reset, 4, e1000_reset);
    else if (function.reset == pci::Reset::virtio)
        by(function.address_of(function.virtio_common) + virtio_status, 0, 1, 0xff);
    return kept;
}

} // namespace drivers
