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

// What soft-off needs, found in FADT and DSDT (core/acpi).
struct SoftOff {
    std::uint16_t pm1a_control = 0; // port
    std::uint16_t pm1b_control = 0; // port or 0
    std::uint8_t sleep_type_a = 0, sleep_type_b = 0;
};

template <PortIo Io> class Power {
public:
    explicit constexpr Power(Io io) : io_(io) {}

    [[nodiscard]] bool is_qemu() {
        io_.out16(fw_cfg_selector, 0);
        for (const char expected : {'Q', 'E', 'M', 'U'})
            if (io_.in8(fw_cfg_data) != static_cast<std::uint8_t>(expected))
                return false;
        return true;
    }

    // Ends the emulator with status 2 * value + 1 where its exit device is configured; returns where it is
    // not.
    void debug_exit(std::uint16_t port, std::uint32_t value) { io_.out32(port, value); }

    // Returns where the machine did not react.
    void soft_off(const SoftOff& how) {
        const auto control = [](std::uint16_t now, std::uint8_t type) {
            return static_cast<std::uint16_t>((now & ~sleep_type_mask) | (type & 7u) << 10 | sleep_enable);
        };
        io_.out16(how.pm1a_control, control(io_.in16(how.pm1a_control), how.sleep_type_a));
        if (how.pm1b_control != 0)
            io_.out16(how.pm1b_control, control(io_.in16(how.pm1b_control), how.sleep_type_b));
    }

    // The ACPI reset register where there is one in I/O space, then the chipset's reset control port.
    void reset(std::optional<std::uint16_t> port, std::uint8_t value) {
        if (port)
            io_.out8(*port, value);
        io_.out8(reset_control, 0x02);
        io_.out8(reset_control, 0x06);
    }

private:
    static constexpr std::uint16_t fw_cfg_selector = 0x510, fw_cfg_data = 0x511, reset_control = 0xcf9;
    static constexpr std::uint16_t sleep_type_mask = 7u << 10, sleep_enable = 1u << 13;

    [[no_unique_address]] Io io_;
};

} // namespace drivers
