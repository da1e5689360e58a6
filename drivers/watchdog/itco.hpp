// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/itco.hpp - the TCO timer of Intel's I/O hubs from ICH6 to the 9 series (QEMU's q35): a second end without feeding
// between resets the machine.
//
// Trust: only a bridge whose registers look like these is touched; where firmware or a strap forbids the reset it is left alone.
// Spec: Intel I/O Controller Hub 9 datasheet (316972), 13.1.13 "PMBASE", 13.1.35 "RCBA", 10.1.75 "GCS", 13.9 "System Management
// TCO Registers".
#pragma once

#include "drivers/pci/configuration.hpp"
#include "drivers/watchdog/found.hpp"

#include <algorithm>
#include <optional>

namespace drivers {

struct Itco {
    std::uint16_t ports;           // TCOBASE
    std::uint64_t general_control; // GCS, physical

    template <PortIo Io> [[nodiscard]] static std::optional<Itco> find(PciConfiguration<Io>& pci) {
        constexpr PciFunction bridge = 31 << 3;
        constexpr std::uint32_t intel = 0x8086, isa_bridge = 0x060100, no_reboot_at = 0x3410, tco_at = 0x60;
        const std::uint32_t power = pci.read(bridge, 0x40), root_complex = pci.read(bridge, 0xf0);
        if ((pci.read(bridge, 0) & 0xffff) != intel || pci.read(bridge, 8) >> 8 != isa_bridge)
            return std::nullopt;
        const bool port_space = (power & 1) != 0 && (power & 0xffff007e) == 0 && (power & 0xff80) != 0;
        const bool enabled = (root_complex & 1) != 0 && (root_complex & 0x3ffe) == 0;
        if (!port_space || !enabled)
            return std::nullopt;
        return Itco{static_cast<std::uint16_t>((power & 0xff80) + tco_at),
                    std::uint64_t{root_complex & ~0x3fffu} + no_reboot_at};
    }

    // Twice `milliseconds` (at most 600,000) after the last feeding the machine is reset. `control`: of 32 bits, GCS.
    template <PortIo Io, typename Control>
    [[nodiscard]] std::optional<FoundWatchdog> prepare(Io io, Control control,
                                                       std::uint32_t milliseconds) const {
        constexpr std::uint32_t no_reboot = 1u << 5, halted = 1u << 11, tick_ms = 600, least = 4,
                                most = 0x3ff;
        constexpr std::uint16_t first_end = 1u << 3, second_end = 1u << 1, boot = 1u << 2;
        control.write(control.read() & ~no_reboot);
        if ((control.read() & no_reboot) != 0)
            return std::nullopt; // a strap
        const std::uint32_t running = io.in16(at(control_1)) & ~halted;
        FoundWatchdog out;
        out.kind = WatchdogKind::itco;
        const auto add = [this](auto& to, std::uint16_t offset, std::uint32_t value) {
            base::expects(to.push_back({at(offset), value, 2, false}), "iTCO: room for its stores");
        };
        add(out.start, control_1, running | halted);
        add(out.start, status_1, first_end);
        add(out.start, status_2, second_end | boot);
        add(out.start, timer, std::clamp(milliseconds / tick_ms, least, most));
        add(out.start, reload, 1);
        add(out.start, control_1, running);
        add(out.watchdog.feed, reload, 1);
        add(out.watchdog.stop, control_1, running | halted);
        return out;
    }

private:
    static constexpr std::uint16_t reload = 0, status_1 = 4, status_2 = 6, control_1 = 8, timer = 0x12;
    [[nodiscard]] constexpr std::uint16_t at(std::uint16_t offset) const {
        return static_cast<std::uint16_t>(ports + offset);
    }
};

} // namespace drivers
