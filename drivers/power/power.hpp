// SPDX-License-Identifier: Apache-2.0
// drivers/power/power.hpp - ending the machine: QEMU's exit device, ACPI soft-off, reset.
//
// The exit device is written only where fw_cfg answers with QEMU's signature: on other machines port F4 may be anything.
// Spec: QEMU docs/specs/fw_cfg "Signature"; ACPI 6.5 sections 4.8.3.2 (PM1 control), 4.8.3.6 (reset register), 7.4.2.6
// (_S5); port CF9 as in Intel's PCH data sheets.
#pragma once

#include "drivers/seams.hpp"

#include <optional>

namespace drivers {

template <PortIo Io> class Power {
public:
    explicit constexpr Power(Io io) : io_(io) {}

    // Ends the emulator with status 2 * value + 1 where its exit device is configured; returns where it is
    // not.
    void debug_exit(std::uint16_t port, std::uint32_t value) { io_.out32(port, value); }

    // One PM1 control register (port) and its SLP_TYP of _S5_. Returns where the machine did not react.
    void soft_off(std::uint16_t control, std::uint8_t type) {
        const std::uint32_t kept = io_.in16(control) & ~sleep_type_mask;
        io_.out16(control, static_cast<std::uint16_t>(kept | (type & 7u) << 10 | sleep_enable));
    }

    // The ACPI reset register where there is one in I/O space, then the chipset's reset control port.
    void reset(std::optional<std::uint16_t> port, std::uint8_t value) {
        if (port)
            io_.out8(*port, value);
        io_.out8(reset_control, 0x02);
        io_.out8(reset_control, 0x06);
    }

private:
    static constexpr std::uint16_t reset_control = 0xcf9;
    static constexpr std::uint32_t sleep_type_mask = 7u << 10, sleep_enable = 1u << 13;

    [[no_unique_address]] Io io_;
};

} // namespace drivers
