// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/pci/function.hpp - a PCI function as its configuration space describes it (drivers/pci/scan.hpp reads it).
//
// Pure data.
// Trust: a device's word about itself: believed as far as binding checks it.
// Spec:  PCI Express 5.0 section 7.5 "PCI and PCIe Capabilities Required by the Base Spec"; PCI Local Bus 3.0 section 6; VIRTIO 1.2
// section 4.1.4.
#pragma once

#include <array>
#include <cstdint>

namespace pci {

using Requester = std::uint16_t; // bus, device, function

inline constexpr Requester below_a_bridge = 0xffff; // in a list: some function there, its number is not known

constexpr unsigned bus_of(Requester requester) {
    return requester >> 8;
}
constexpr unsigned device_of(Requester requester) { // bus and device
    return requester >> 3;
}

struct Bar {                           // in memory
    std::uint64_t base = 0, bytes = 0; // bytes 0: there is none
};

enum class Kind : std::uint8_t {
    other, // an unknown header; the first, so that a list of functions is .bss
    endpoint,
    port,   // of PCI Express: root, upstream, downstream
    bridge, // of conventional PCI on its lower side, or a whole one
};
enum class Reset : std::uint8_t {
    none,
    express,           // function level reset by this capability,
    advanced_features, // or by this
    e1000,             // CTRL.RST, of an 82574
    virtio,            // device_status 0, of one that obeys the IOMMU (drivers/pci/virtio.hpp)
};

// A place in a BAR: its offset, a multiple of 8, and the BAR's number in the lowest three bits.
using Place = std::uint32_t;

struct Function {
    Requester requester = 0;
    std::uint16_t vendor = 0, device = 0;
    std::uint32_t class_code = 0; // class, subclass, programming interface
    Kind kind = Kind::other;
    Reset reset = Reset::none;
    bool multi_function = false;                 // of its device
    std::uint8_t secondary = 0, subordinate = 0; // of a port or bridge: the buses below it
    std::uint8_t express = 0, msix = 0,
                 features = 0; // offsets of the PCI Express, MSI-X, Advanced Features capabilities; 0: none
    std::uint16_t vectors = 0; // of MSI-X
    Place msix_table = 0;
    Place virtio_common = 0, virtio_notify = 0, virtio_device = 0; // of a virtio device's structures
    std::uint32_t virtio_multiplier = 0; // of the notifications; 0: no virtio device
    std::uint16_t access_control = 0;    // offset of ACS with all that isolation needs; 0: none
    std::array<Bar, 6> bars;

    [[nodiscard]] constexpr std::uint64_t address_of(Place place) const {
        return bars[(place & 7) % bars.size()].base + (place & ~7u);
    }
};

inline constexpr std::uint16_t virtio_vendor = 0x1af4;

} // namespace pci
