// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/i6300esb.hpp - Intel's 6300ESB watchdog timer (QEMU's i6300esb): fed in time, or the machine is reset.
//
// Two timers run one after the other; the first one's end does nothing here, the second one's resets.
// Spec: Intel 6300ESB I/O Controller Hub datasheet (300641), chapter "Watchdog Timer".
#pragma once

#include "drivers/pci/pci.hpp"

namespace drivers {

struct I6300esb {
    PciFunction at;
    std::uint64_t registers; // physical

    template <PortIo Io> void stop(PciWriter<Io>& pci) const {
        pci.write(at, lock_register, std::uint8_t{0});
    }
    template <typename Registers> static void feed(const Registers& mapped) {
        unlock(mapped);
        mapped.write16(0xc, 0x100);
    }

    static constexpr std::uint8_t lock_register = 0x68; // only ever a byte at a time

    template <typename Registers> static void unlock(const Registers& mapped) {
        mapped.write16(0xc, 0x80);
        mapped.write16(0xc, 0x86);
    }
};

} // namespace drivers
