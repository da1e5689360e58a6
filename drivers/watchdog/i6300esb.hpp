// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/i6300esb.hpp - Intel's 6300ESB watchdog timer (QEMU's i6300esb): fed in time, or the machine is reset.
//
// Two timers run one after the other; the first one's end does nothing here, the second one's resets.
// Spec: Intel 6300ESB I/O Controller Hub datasheet (300641), chapter "Watchdog Timer".
#pragma once

#include "drivers/pci/pci.hpp"
#include "drivers/seams.hpp"

#include <optional>

namespace drivers {

class I6300esb {
public:
    struct Found {
        PciFunction at;
        std::uint64_t registers; // physical
    };
    // On the root bus; with its registers where firmware put them.
    template <PortIo Io> [[nodiscard]] static std::optional<Found> find(PciConfiguration<Io>& pci) {
        constexpr std::uint32_t identity = 0x25ab8086, memory_kind = 0xf;
        for (std::uint8_t device = 0; device < 32; ++device) {
            const PciFunction at{0, device, 0};
            if (pci.read(at, 0) != identity)
                continue;
            const std::uint32_t base = pci.read(at, 0x10);
            if ((base & memory_kind) != 0 || base == 0)
                return std::nullopt;
            return Found{at, base};
        }
        return std::nullopt;
    }
    // Runs from here on: twice `milliseconds` (at most 1,000,000) after the last feeding the machine is reset.
    template <PortIo Io, typename Registers>
    static void start(PciConfiguration<Io>& pci, PciFunction at, const Registers& registers,
                      std::uint32_t milliseconds) {
        constexpr std::uint16_t memory_space = 2, no_interrupt_slow_clock = 0x0003;
        constexpr std::uint8_t enabled = 0x02;
        pci.set_command(at, pci.command(at) | memory_space);
        pci.write16(at, 0x60, no_interrupt_slow_clock);
        for (const std::uint32_t timer : {0x0u, 0x4u}) {
            unlock(registers);
            registers.write32(timer, milliseconds); // 2^15 periods of the 33 MHz bus clock each
        }
        feed(registers);
        pci.write8(at, lock_register, enabled);
    }
    template <typename Registers> static void feed(const Registers& registers) {
        unlock(registers);
        registers.write16(0xc, 0x100);
    }

    template <PortIo Io> static void stop(PciConfiguration<Io>& pci, PciFunction at) {
        pci.write8(at, lock_register, 0);
    }

private:
    static constexpr std::uint8_t lock_register = 0x68; // only ever a byte at a time

    template <typename Registers> static void unlock(const Registers& registers) {
        registers.write16(0xc, 0x80);
        registers.write16(0xc, 0x86);
    }
};

} // namespace drivers
