// SPDX-License-Identifier: Apache-2.0
// drivers/pci/pci.hpp - PCI configuration space by ports CF8/CFC: what is still written to once guests run. All of it:
// configuration.hpp.
//
// Trust: device registers are hostile: nothing they say is followed.
// Spec:  PCI Local Bus 3.0 section 3.2.2.3.
#pragma once

#include "drivers/seams.hpp"

namespace drivers {

using PciFunction = std::uint16_t; // bus, device, function: as a requester ID

template <PortIo Io> class PciWriter {
public:
    explicit constexpr PciWriter(Io io) : io_(io) {}

    void write(PciFunction at, std::uint8_t offset, std::uint8_t value) {
        select(at, offset);
        io_.out8(static_cast<std::uint16_t>(data_port + (offset & 3)), value);
    }

protected:
    static constexpr std::uint16_t address_port = 0xcf8, data_port = 0xcfc;

    void select(PciFunction at, std::uint8_t offset) {
        constexpr std::uint32_t enable = std::uint32_t{1} << 31;
        io_.out32(address_port, enable | std::uint32_t{at} << 8 | (offset & 0xfcu));
    }

    [[no_unique_address]] Io io_;
};

} // namespace drivers
