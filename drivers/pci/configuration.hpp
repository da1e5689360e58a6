// SPDX-License-Identifier: Apache-2.0
// drivers/pci/configuration.hpp - PCI configuration space by ports CF8/CFC, while the machine boots.
//
// Trust: device registers are hostile: nothing they say is followed.
// Spec:  PCI Local Bus 3.0 section 3.2.2.3.
#pragma once

#include "drivers/seams.hpp"

namespace drivers {

using PciFunction = std::uint16_t; // bus, device, function: as a requester ID

inline constexpr std::uint8_t pci_command = 4;

template <PortIo Io> class PciConfiguration {
public:
    static constexpr std::uint16_t address_port = 0xcf8, data_port = 0xcfc;

    explicit constexpr PciConfiguration(Io io) : io_(io) {}

    // What the address port is told to reach these four bytes.
    static constexpr std::uint32_t selector(PciFunction at, std::uint8_t offset) {
        constexpr std::uint32_t enable = std::uint32_t{1} << 31;
        return enable | std::uint32_t{at} << 8 | (offset & 0xfcu);
    }
    [[nodiscard]] std::uint32_t read(PciFunction at, std::uint8_t offset) {
        io_.out32(address_port, selector(at, offset));
        return io_.in32(data_port);
    }
    // Of the command register's word the status half, write-one-to-clear, is not touched.
    void write(PciFunction at, std::uint8_t offset, std::uint16_t value) {
        io_.out32(address_port, selector(at, offset));
        io_.out16(static_cast<std::uint16_t>(data_port + (offset & 2)), value);
    }
    void write(PciFunction at, std::uint8_t offset, std::uint32_t value) {
        io_.out32(address_port, selector(at, offset));
        io_.out32(data_port, value);
    }

private:
    [[no_unique_address]] Io io_;
};

} // namespace drivers
