// SPDX-License-Identifier: Apache-2.0
// drivers/power/fw_cfg.hpp - whether this is QEMU, once at boot.
// Spec: QEMU docs/specs/fw_cfg "Signature".
#pragma once

#include "drivers/seams.hpp"

namespace drivers {

template <PortIo Io> [[nodiscard]] bool is_qemu(Io io) {
    constexpr std::uint16_t fw_cfg_selector = 0x510, fw_cfg_data = 0x511;
    io.out16(fw_cfg_selector, 0);
    for (const char expected : {'Q', 'E', 'M', 'U'})
        if (io.in8(fw_cfg_data) != static_cast<std::uint8_t>(expected))
            return false;
    return true;
}

} // namespace drivers
