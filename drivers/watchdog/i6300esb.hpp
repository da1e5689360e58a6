// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/i6300esb.hpp - Intel's 6300ESB watchdog timer (QEMU's i6300esb): fed in time, or the machine is reset.
//
// Two timers run one after the other; the first one's end does nothing here, the second one's resets.
// Spec: Intel 6300ESB I/O Controller Hub datasheet (300641), chapter "Watchdog Timer".
#pragma once

#include "drivers/pci/configuration.hpp"
#include "drivers/watchdog/found.hpp"

#include <optional>

namespace drivers {

struct I6300esb {
    PciFunction at;
    std::uint64_t registers; // physical

    // On the root bus; with its registers where firmware put them.
    template <PortIo Io> [[nodiscard]] static std::optional<I6300esb> find(PciConfiguration<Io>& pci) {
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

    // Runs from the last of these stores on: twice `milliseconds` (at most 1,000,000) after the last feeding the machine is reset.
    template <typename Io>
    [[nodiscard]] FoundWatchdog prepare(PciConfiguration<Io>& pci, std::uint32_t milliseconds) const {
        constexpr std::uint16_t memory_space = 2, no_interrupt_slow_clock = 0x0003;
        constexpr std::uint8_t enabled = 0x02;
        pci.write(at, pci_command, static_cast<std::uint16_t>(pci.read(at, pci_command) | memory_space));
        pci.write(at, 0x60, no_interrupt_slow_clock);
        FoundWatchdog out;
        out.kind = WatchdogKind::i6300esb;
        for (const std::uint64_t timer : {registers, registers + 4}) {
            unlock(out.start);
            add(out.start, {timer, milliseconds, 4, true}); // 2^15 periods of the 33 MHz bus clock each
        }
        unlock(out.watchdog.feed);
        add(out.watchdog.feed, {registers + reload, 0x100, 2, true});
        for (const Store& store : out.watchdog.feed)
            add(out.start, store);
        configure(out.start, enabled);
        configure(out.watchdog.stop, 0);
        return out;
    }

private:
    static constexpr std::uint32_t reload = 0xc;

    template <std::size_t Most> static void add(base::FixedVector<Store, Most>& to, const Store& store) {
        base::expects(to.push_back(store), "i6300esb: room for its stores");
    }
    template <std::size_t Most> void unlock(base::FixedVector<Store, Most>& to) const {
        add(to, {registers + reload, 0x80, 2, true});
        add(to, {registers + reload, 0x86, 2, true});
    }
    // The lock register, by ports, only ever a byte at a time.
    template <std::size_t Most> void configure(base::FixedVector<Store, Most>& to, std::uint8_t value) const {
        constexpr std::uint8_t lock_register = 0x68;
        add(to, {0xcf8, std::uint32_t{1} << 31 | std::uint32_t{at} << 8 | lock_register, 4, false});
        add(to, {0xcfc, value, 1, false});
    }
};

} // namespace drivers
