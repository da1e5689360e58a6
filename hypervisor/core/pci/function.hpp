// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/pci/function.hpp - a PCI function as its configuration space describes it (drivers/pci/scan.hpp reads it).
//
// Pure data.
// Trust: a device's word about itself: believed as far as binding checks it.
// Spec:  PCI Express 5.0 section 7.5 "PCI and PCIe Capabilities Required by the Base Spec"; PCI Local Bus 3.0 section 6.
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
    express,
    advanced_features
}; // function level reset, by which capability

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
    std::uint32_t msix_table = 0;     // its place: offset in a BAR, whose number is in the lowest three bits
    std::uint16_t access_control = 0; // offset of ACS with all that isolation needs; 0: none
    std::array<Bar, 6> bars;
};

inline constexpr std::uint16_t virtio_vendor = 0x1af4;

} // namespace pci
