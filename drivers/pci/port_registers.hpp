// SPDX-License-Identifier: Apache-2.0
// drivers/pci/port_registers.hpp - PCI configuration by ports CF8/CFC in the shape of the memory-mapped registers, 4 KiB a
// function: what lies beyond the first 256 bytes of one answers as nobody does.
//
// Spec: PCI Local Bus 3.0 section 3.2.2.3.
#pragma once

#include "drivers/pci/configuration.hpp"

namespace drivers {

template <PortIo Io> class PortRegisters {
public:
    explicit constexpr PortRegisters(PciConfiguration<Io> pci) : pci_(pci) {}

    [[nodiscard]] std::uint32_t read32(std::uint32_t at) const {
        return is_reachable(at) ? pci_.read(function(at), static_cast<std::uint8_t>(at)) : UINT32_MAX;
    }
    [[nodiscard]] std::uint64_t read64(std::uint32_t at) const {
        return read32(at) | std::uint64_t{read32(at + 4)} << 32;
    }
    void write32(std::uint32_t at, std::uint32_t value) const {
        if (is_reachable(at))
            pci_.write(function(at), static_cast<std::uint8_t>(at), value);
    }
    void write64(std::uint32_t at, std::uint64_t value) const {
        write32(at, static_cast<std::uint32_t>(value));
        write32(at + 4, static_cast<std::uint32_t>(value >> 32));
    }

private:
    static constexpr bool is_reachable(std::uint32_t at) { return (at & 0xfff) < 0x100; }
    static constexpr PciFunction function(std::uint32_t at) { return static_cast<PciFunction>(at >> 12); }

    mutable PciConfiguration<Io> pci_;
};

} // namespace drivers
