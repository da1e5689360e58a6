// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/device.hpp - a device of the plan on this machine: what of it is needed as long as partitions run.
//
// Pure data.
#pragma once

#include "hypervisor/core/pci/function.hpp"

namespace plan {

inline constexpr std::uint32_t vectors_a_device = 8; // of MSI-X that a partition can use

struct BoundBar {
    std::uint64_t gpa = 0, host = 0, bytes = 0; // whole pages; bytes 0: none
};
struct BoundDevice {
    std::uint32_t partition = 0;
    std::uint32_t of_partition = 0; // its place among the partition's
    pci::Function function;
    std::array<BoundBar, 6> bars{};

    [[nodiscard]] constexpr std::uint32_t vectors() const {
        return function.vectors < vectors_a_device ? function.vectors : vectors_a_device;
    }
};

} // namespace plan
