// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/i6300esb.hpp - Intel's 6300ESB watchdog timer (QEMU's i6300esb): fed in time, or the machine is reset.
//
// Two timers run one after the other; the first one's end does nothing here, the second one's resets.
// Spec: Intel 6300ESB I/O Controller Hub datasheet (300641), chapter "Watchdog Timer".
#pragma once

#include "drivers/pci/pci.hpp"

#include <optional>

namespace drivers {

struct I6300esb {
    PciFunction at;
    std::uint64_t registers; // physical

    // Runs from here on: twice `milliseconds` (at most 1,000,000) after the last feeding the machine is reset.
    template <PortIo Io, typename Registers>
    void start(PciConfiguration<Io>& pci, const Registers& mapped, std::uint32_t milliseconds) const {
        constexpr std::uint16_t memory_space = 2, no_interrupt_slow_clock = 0x0003;
        constexpr std::uint8_t enabled = 0x02;
        pci.write(at, pci_command, static_cast<std::uint16_t>(pci.read(at, pci_command) | memory_space));
        pci.write(at, 0x60, no_interrupt_slow_clock);
        for (const std::uint32_t timer : {0x0u, 0x4u}) {
            unlock(mapped);
            mapped.write32(timer, milliseconds); // 2^15 periods of the 33 MHz bus clock each
        }
        feed(mapped);
        pci.write(at, lock_register, enabled);
    }
    template <PortIo Io> void stop(PciConfiguration<Io>& pci) const {
        pci.write(at, lock_register, std::uint8_t{0});
    }
    template <typename Registers> static void feed(const Registers& mapped) {
        unlock(mapped);
        mapped.write16(0xc, 0x100);
    }

private:
    static constexpr std::uint8_t lock_register = 0x68; // only ever a byte at a time

    template <typename Registers> static void unlock(const Registers& mapped) {
        mapped.write16(0xc, 0x80);
        mapped.write16(0xc, 0x86);
    }
};

} // namespace drivers
