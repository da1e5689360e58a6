// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/start.hpp - looking for the watchdog and starting it, once at boot.
#pragma once

#include "drivers/pci/configuration.hpp"
#include "drivers/watchdog/i6300esb.hpp"

#include <optional>

namespace drivers {

// On the root bus; with its registers where firmware put them.
template <PortIo Io> [[nodiscard]] std::optional<I6300esb> find_i6300esb(PciConfiguration<Io>& pci) {
    constexpr std::uint32_t identity = 0x25ab8086, memory_kind = 0xf;
    for (PciFunction at = 0; at < 32 * 8; at = static_cast<PciFunction>(at + 8)) {
        if (pci.read(at, 0) != identity)
            continue;
        const std::uint32_t base = pci.read(at, 0x10);
        if ((base & memory_kind) != 0 || base == 0)
            return std::nullopt;
        return I6300esb{at, base};
    }
    return std::nullopt;
}

// Runs from here on: twice `milliseconds` (at most 1,000,000) after the last feeding the machine is reset.
template <PortIo Io, typename Registers>
void start(const I6300esb& watchdog, PciConfiguration<Io>& pci, const Registers& mapped,
           std::uint32_t milliseconds) {
    constexpr std::uint16_t memory_space = 2, no_interrupt_slow_clock = 0x0003;
    constexpr std::uint8_t enabled = 0x02;
    const PciFunction at = watchdog.at;
    pci.write(at, pci_command, static_cast<std::uint16_t>(pci.read(at, pci_command) | memory_space));
    pci.write(at, 0x60, no_interrupt_slow_clock);
    for (const std::uint32_t timer : {0x0u, 0x4u}) {
        I6300esb::unlock(mapped);
        mapped.write32(timer, milliseconds); // 2^15 periods of the 33 MHz bus clock each
    }
    I6300esb::feed(mapped);
    pci.write(at, I6300esb::lock_register, enabled);
}

} // namespace drivers
