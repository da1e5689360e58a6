// SPDX-License-Identifier: Apache-2.0
// drivers/pci/pci.hpp - PCI configuration space by ports CF8/CFC, and the first act of boot: every bus master off.
//
// Trust:      device registers are hostile: bus numbers of bridges are followed only to higher buses, each bus once.
// Invariants: after bus_masters_off() no function reached over the host bridge or a configured bridge may start DMA.
// Spec: PCI Local Bus 3.0 section 3.2.2.3; PCI-to-PCI Bridge 1.2 section 3.2.
#pragma once

#include "drivers/seams.hpp"

#include <array>

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

    // Clears Bus Master Enable everywhere; returns how many functions had it set.
    unsigned bus_masters_off() {
        std::array<bool, 256> wanted{};
        wanted[0] = true;
        unsigned cleared = 0;
        // A second host bridge function has a root bus of its own number (PCI 3.0 section 3.2.2.3.1).
        if ((read({0, 0, 0}, header_offset) >> 16 & multifunction) != 0)
            for (std::uint8_t function = 1; function < 8; ++function)
                if (present({0, 0, function}))
                    wanted[function] = true;
        for (unsigned bus = 0; bus < wanted.size(); ++bus)
            if (wanted[bus])
                for (unsigned device = 0; device < 32; ++device)
                    cleared +=
                        device_off(static_cast<std::uint8_t>(bus), static_cast<std::uint8_t>(device), wanted);
        return cleared;
    }

private:
    static constexpr std::uint16_t address_port = 0xcf8, data_port = 0xcfc;
    static constexpr std::uint8_t command_offset = 4, header_offset = 0xc, buses_offset = 0x18;
    static constexpr std::uint32_t multifunction = 0x80, header_type = 0x7f, bridge_header = 1;
    static constexpr std::uint32_t enable = std::uint32_t{1} << 31;
    static constexpr std::uint16_t bus_master = 1u << 2;

    void select(PciFunction at, std::uint8_t offset) {
        io_.out32(address_port, enable | std::uint32_t{at.bus} << 16 | std::uint32_t{at.device} << 11 |
                                    std::uint32_t{at.function} << 8 | (offset & 0xfcu));
    }
    [[nodiscard]] bool present(PciFunction at) { return (read(at, 0) & 0xffff) != 0xffff; }

    unsigned device_off(std::uint8_t bus, std::uint8_t device, std::array<bool, 256>& wanted) {
        if (!present({bus, device, 0}))
            return 0;
        const bool many = (read({bus, device, 0}, header_offset) >> 16 & multifunction) != 0;
        unsigned cleared = 0;
        for (std::uint8_t function = 0; function < (many ? 8 : 1); ++function) {
            const PciFunction at{bus, device, function};
            if (function != 0 && !present(at))
                continue;
            const std::uint16_t now = command(at);
            if ((now & bus_master) != 0) {
                set_command(at, static_cast<std::uint16_t>(now & ~bus_master));
                ++cleared;
            }
            if ((read(at, header_offset) >> 16 & header_type) == bridge_header) {
                const std::uint8_t behind = static_cast<std::uint8_t>(read(at, buses_offset) >> 8);
                if (behind > bus)
                    wanted[behind] = true;
            }
        }
        return cleared;
    }

    [[no_unique_address]] Io io_;
};

} // namespace drivers
