// SPDX-License-Identifier: Apache-2.0
// drivers/pci/configuration.hpp - PCI configuration space, read and written, while the machine boots (pci.hpp).
#pragma once

#include "drivers/pci/pci.hpp"

namespace drivers {

inline constexpr std::uint8_t pci_command = 4;

template <PortIo Io> class PciConfiguration : public PciWriter<Io> {
public:
    explicit constexpr PciConfiguration(Io io) : PciWriter<Io>(io) {}

    [[nodiscard]] std::uint32_t read(PciFunction at, std::uint8_t offset) {
        this->select(at, offset);
        return this->io_.in32(this->data_port);
    }
    using PciWriter<Io>::write;
    // Of the command register's word the status half, write-one-to-clear, is not touched.
    void write(PciFunction at, std::uint8_t offset, std::uint16_t value) {
        this->select(at, offset);
        this->io_.out16(static_cast<std::uint16_t>(this->data_port + (offset & 2)), value);
    }
    void write(PciFunction at, std::uint8_t offset, std::uint32_t value) {
        this->select(at, offset);
        this->io_.out32(this->data_port, value);
    }
};

} // namespace drivers
