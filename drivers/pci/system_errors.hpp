// SPDX-License-Identifier: Apache-2.0
// drivers/pci/system_errors.hpp - why the chipset sent an NMI: SERR# of a bus, or IOCHK# of an ISA device.
//
// Spec: Intel chipset data sheets, "NMI Status and Control Register" (port 61h).
#pragma once

#include "drivers/seams.hpp"

namespace drivers {

struct SystemErrors {
    bool serr = false, iochk = false;
};

// Those that are pending; they are cleared and can come again. Bits that other users of the port own stay.
template <PortIo Io> SystemErrors take_system_errors(Io io) {
    constexpr std::uint16_t port = 0x61;
    constexpr std::uint8_t serr = 0x80, iochk = 0x40, writable = 0x0f, serr_off = 0x04, iochk_off = 0x08;
    const std::uint8_t now = io.in8(port);
    if (now == 0xff || (now & (serr | iochk)) == 0) // ff: no such port
        return {};
    const SystemErrors found{(now & serr) != 0, (now & iochk) != 0};
    const unsigned off = (found.serr ? serr_off : 0u) | (found.iochk ? iochk_off : 0u);
    io.out8(port, static_cast<std::uint8_t>((now & writable) | off)); // switched off: cleared
    io.out8(port, static_cast<std::uint8_t>(now & writable));
    return found;
}

} // namespace drivers
