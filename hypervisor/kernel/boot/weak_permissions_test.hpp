// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/weak_permissions_test.hpp - the one override of the permission maps: ports and MSRs that
// caisson_weak.elf lets through. No product build includes it.
// Spec: AMD APM vol. 2 section 15.11 "MSR Intercepts"; SDM vol. 3 section 25.6.9 "MSR-Bitmap Address".
#pragma once

#include "hypervisor/base/weakness.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace hv {

inline void weaken(std::span<std::byte> ports, std::span<std::uint8_t> msrs, bool vmx) {
    if (base::weak("open_port"))
        ports[0xCF8 / 8] = std::byte{0};
    const auto open = [&](std::uint32_t index) { // below 2000h: both accesses
        for (const std::uint32_t bit : {vmx ? index : 2 * index, vmx ? 0x4000 + index : 2 * index + 1})
            msrs[bit / 8] = static_cast<std::uint8_t>(msrs[bit / 8] & ~(1u << bit % 8));
    };
    if (base::weak("open_msr"))
        open(0x2FF); // MTRR_DEF_TYPE
    if (base::weak("open_feature"))
        open(0x3A); // FEATURE_CONTROL
}

} // namespace hv
