// SPDX-License-Identifier: Apache-2.0
// drivers/pci/pci.hpp - PCI configuration space by ports CF8/CFC, and the first act of boot: every bus master off.
//
// Trust:      device registers are hostile: nothing they say is followed.
// Invariants: after bus_masters_off() no function, bridges included, that answers in segment 0 may start DMA.
// Spec: PCI Local Bus 3.0 section 3.2.2.3; PCI-to-PCI Bridge 1.2 section 3.2.
#pragma once

#include "drivers/seams.hpp"

#include <cstdint>

namespace drivers {

struct PciFunction {
    std::uint8_t bus, device, function;
};

template <PortIo Io> class PciConfiguration {
public:
    explicit constexpr PciConfiguration(Io io) : io_(io) {}

    [[nodiscard]] std::uint32_t read(PciFunction at, std::uint8_t offset) {
        select(at, offset);
        return io_.in32(data_port);
    }
    [[nodiscard]] std::uint16_t command(PciFunction at) {
        select(at, command_offset);
        return io_.in16(data_port);
    }
    void set_command(PciFunction at, std::uint16_t value) {
        select(at, command_offset);
        io_.out16(data_port, value); // the status half, write-one-to-clear, is not touched
    }
    void write8(PciFunction at, std::uint8_t offset, std::uint8_t value) {
        select(at, offset);
        io_.out8(static_cast<std::uint16_t>(data_port + (offset & 3)), value);
    }
    void write16(PciFunction at, std::uint8_t offset, std::uint16_t value) {
        select(at, offset);
        io_.out16(static_cast<std::uint16_t>(data_port + (offset & 2)), value);
    }

    // Clears Bus Master Enable everywhere; returns how many functions had it set. Every bus number is tried: a root bus
    // of another host bridge is named by no register of a known function.
    unsigned bus_masters_off() {
        unsigned cleared = 0;
        for (unsigned slot = 0; slot < 256u * 32; ++slot)
            cleared += device_off(static_cast<std::uint8_t>(slot >> 5), static_cast<std::uint8_t>(slot & 31));
        return cleared;
    }

private:
    static constexpr std::uint16_t address_port = 0xcf8, data_port = 0xcfc;
    static constexpr std::uint8_t command_offset = 4;
    static constexpr std::uint32_t enable = std::uint32_t{1} << 31;
    static constexpr std::uint16_t bus_master = 1u << 2;

    void select(PciFunction at, std::uint8_t offset) {
        io_.out32(address_port, enable | std::uint32_t{at.bus} << 16 | std::uint32_t{at.device} << 11 |
                                    std::uint32_t{at.function} << 8 | (offset & 0xfcu));
    }
    [[nodiscard]] bool present(PciFunction at) { return (read(at, 0) & 0xffff) != 0xffff; }

    unsigned device_off(std::uint8_t bus, std::uint8_t device) {
        unsigned cleared = 0;
        for (std::uint8_t function = 0; function < 8; ++function) {
            const PciFunction at{bus, device, function};
            if (!present(at)) {
                if (function == 0)
                    break;
                continue;
            }
            const std::uint16_t now = command(at);
            if ((now & bus_master) == 0)
                continue;
            set_command(at, static_cast<std::uint16_t>(now & ~bus_master));
            ++cleared;
        }
        return cleared;
    }

    [[no_unique_address]] Io io_;
};

} // namespace drivers
