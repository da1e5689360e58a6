// SPDX-License-Identifier: Apache-2.0
// drivers/pci/pci.hpp - PCI configuration space by ports CF8/CFC.
//
// Trust: device registers are hostile: nothing they say is followed.
// Spec:  PCI Local Bus 3.0 section 3.2.2.3.
#pragma once

#include "drivers/seams.hpp"

namespace drivers {

using PciFunction = std::uint16_t; // bus, device, function: as a requester ID
constexpr std::uint8_t pci_command = 4;

template <PortIo Io> class PciConfiguration {
public:
    explicit constexpr PciConfiguration(Io io) : io_(io) {}

    [[nodiscard]] std::uint32_t read(PciFunction at, std::uint8_t offset) {
        select(at, offset);
        return io_.in32(data_port);
    }
    void write(PciFunction at, std::uint8_t offset, std::uint8_t value) {
        select(at, offset);
        io_.out8(static_cast<std::uint16_t>(data_port + (offset & 3)), value);
    }
    // Of the command register's word the status half, write-one-to-clear, is not touched.
    void write(PciFunction at, std::uint8_t offset, std::uint16_t value) {
        select(at, offset);
        io_.out16(static_cast<std::uint16_t>(data_port + (offset & 2)), value);
    }

private:
    static constexpr std::uint16_t address_port = 0xcf8, data_port = 0xcfc;

    void select(PciFunction at, std::uint8_t offset) {
        constexpr std::uint32_t enable = std::uint32_t{1} << 31;
        io_.out32(address_port, enable | std::uint32_t{at} << 8 | (offset & 0xfcu));
    }

    [[no_unique_address]] Io io_;
};

} // namespace drivers
