// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/find.hpp - looking for the watchdog, once at boot.
#pragma once

#include "drivers/watchdog/i6300esb.hpp"

#include <optional>

namespace drivers {

// On the root bus; with its registers where firmware put them.
template <PortIo Io> [[nodiscard]] std::optional<I6300esb> find_i6300esb(PciConfiguration<Io>& pci) {
    constexpr std::uint32_t identity = 0x25ab8086, memory_kind = 0xf;
    for (PciFunction at = 0; at < 32 * 8; at = static_cast<PciFunction>(at + 8)) {
        if (pci.read(at, 0) != identity)
            continue;
        const std::uint32_t base = pci.read(at, 0x10);
        if ((base & memory_kind) != 0 || base == 0)
            return std::nullopt;
        return I6300esb{at, base};
    }
    return std::nullopt;
}

} // namespace drivers
