// SPDX-License-Identifier: Apache-2.0
// drivers/pci/bus_masters.hpp - the first act of boot: every bus master off; then, by the memory-mapped registers, every
// virtual function.
//
// Trust:      device registers are hostile: nothing they say is followed.
// Invariants: after bus_masters_off() no function, bridges included, that answers in segment 0 may start DMA.
// Spec: PCI Express 5.0 sections 7.2.2 "Enhanced Configuration Access Mechanism", 6.13 "Alternative Routing-ID
// Interpretation", 9.3.3 "SR-IOV Extended Capability"; PCI-to-PCI Bridge 1.2 section 3.2.
#pragma once

#include "drivers/pci/configuration.hpp"

namespace drivers {

// Calls use(function) for each that is there; `identity` reads the first word of its registers. Every bus number up to
// `last_bus` is tried: a root bus of another host bridge is named by no register of a known function. On a bus whose device 0
// is there, so is every number: with ARI the functions of that device are 0 to 255, and there may be gaps.
template <typename Identity, typename Use>
void each_function(std::uint32_t last_bus, Identity identity, Use use) {
    constexpr std::uint32_t last_function = 7, last_on_bus = 0xff, nobody = 0xffff;
    bool every_number = false;
    for (std::uint32_t id = 0; id < (last_bus + 1) << 8; ++id) {
        const auto at = static_cast<PciFunction>(id);
        const bool there = (identity(at) & nobody) != nobody;
        if ((id & last_on_bus) == 0)
            every_number = there;
        if (there)
            use(at);
        else if (!every_number && (id & last_function) == 0)
            id |= last_function; // no device without its first function
    }
}

// Switches the virtual functions of every physical one off; returns of how many they were on. They answer with no vendor, so
// that nothing else finds them. `ecam`: the registers of bus 0 and on, 4 KiB a function, up to `last_bus`.
template <Mmio Registers> unsigned virtual_functions_off(const Registers& ecam, std::uint32_t last_bus) {
    constexpr std::uint32_t first_capability = 0x100, sr_iov = 0x10, control = 8, enable = 1, memory = 8,
                            most_capabilities = (4096 - first_capability) / 8;
    const auto at = [](PciFunction function) { return std::uint32_t{function} << 12; };
    unsigned cleared = 0;
    each_function(
        last_bus, [&](PciFunction function) { return ecam.read32(at(function)); },
        [&](PciFunction function) {
            std::uint32_t offset = first_capability;
            for (std::uint32_t i = 0; i < most_capabilities && offset >= first_capability; ++i) {
                const std::uint32_t here = at(function) + offset, head = ecam.read32(here);
                if (head == UINT32_MAX)
                    return; // no extended registers
                const std::uint32_t now = ecam.read32(here + control);
                if ((head & 0xffff) == sr_iov && (now & enable) != 0) {
                    ecam.write32(here + control, now & ~(enable | memory));
                    ++cleared;
                }
                offset = head >> 20 & ~3u;
            }
        });
    return cleared;
}

// Clears Bus Master Enable everywhere; returns how many functions had it set.
template <PortIo Io> unsigned bus_masters_off(PciConfiguration<Io>& pci) {
    constexpr std::uint32_t bus_master = 1u << 2;
    unsigned cleared = 0;
    each_function(
        0xff, [&pci](PciFunction at) { return pci.read(at, 0); },
        [&](PciFunction at) {
            const std::uint32_t now = pci.read(at, pci_command);
            if ((now & bus_master) == 0)
                return;
            pci.write(at, pci_command, static_cast<std::uint16_t>(now & ~bus_master));
            ++cleared;
        });
    return cleared;
}

} // namespace drivers
