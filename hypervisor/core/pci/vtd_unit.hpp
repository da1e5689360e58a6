// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/pci/vtd_unit.hpp - what a VT-d unit says in its capability registers, and what follows from it.
//
// Pure: arch/x86_64/iommu reads the registers, the tool has them from a description of the board.
// Spec: Intel VT-d 4.1, 11.4.2 "Capability Register", 11.4.3 "Extended Capability Register".
#pragma once

#include <cstdint>

namespace pci {

struct VtdUnit {
    std::uint64_t capability = 0, extended = 0;

    static constexpr const char* no_queue = "it has no queued invalidation";

    [[nodiscard]] constexpr bool has_queue() const { return bit(extended, 1); }
    // Whether it remaps interrupts, and whether its interrupt table can name CPUs by 32 bits.
    [[nodiscard]] constexpr bool remaps_interrupts() const { return bit(extended, 3); }
    [[nodiscard]] constexpr bool can_be_wide() const { return bit(extended, 4); }
    [[nodiscard]] constexpr bool needs_write_flush() const { return bit(capability, 4); }
    [[nodiscard]] constexpr bool has_large_leaves() const { return bit(capability, 34); }
    // Of the tables it walks: 4, else 3; 0: neither.
    [[nodiscard]] constexpr unsigned levels() const {
        return bit(capability, 10) ? 4 : bit(capability, 9) ? 3 : 0;
    }
    // Whether devices of partitions can be kept apart by it: interrupts remapped, tables of three or four levels, leaves of 2 MiB.
    [[nodiscard]] constexpr bool keeps_devices_apart() const {
        return remaps_interrupts() && levels() != 0 && has_large_leaves() && !needs_write_flush();
    }

private:
    static constexpr bool bit(std::uint64_t word, unsigned number) { return (word >> number & 1) != 0; }
};

} // namespace pci
