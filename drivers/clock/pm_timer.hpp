// SPDX-License-Identifier: Apache-2.0
// drivers/clock/pm_timer.hpp - ACPI's counter of 3.579545 MHz, one more to measure by (drivers/clock/measure.hpp).
// Spec: ACPI 6.5 section 4.8.2.1 "Power Management Timer".
#pragma once

#include "drivers/seams.hpp"

namespace drivers {

template <PortIo Io> class PmTimer {
public:
    constexpr PmTimer(Io io, std::uint16_t port, bool has_32_bits)
        : io_(io), port_(port), mask_(has_32_bits ? UINT32_MAX : 0xffffff) {}

    [[nodiscard]] std::uint32_t read() const { return io_.in32(port_) & mask_; }
    [[nodiscard]] std::uint32_t mask() const { return mask_; }
    [[nodiscard]] static constexpr std::uint64_t femtoseconds() { return 279'365'115; } // 3.579545 MHz

private:
    [[no_unique_address]] mutable Io io_;
    std::uint16_t port_;
    std::uint32_t mask_;
};

} // namespace drivers
