// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/port.cpp - port classes and the transmit half of a 16550.
#include "hypervisor/core/vcpu/port.hpp"

#include <array>

namespace vcpu {
namespace {

struct PortRange {
    std::uint16_t first, last;
};

// What any PC kernel touches while it looks around. Not granted either, only named apart in counts and
// records.
constexpr std::array<PortRange, 13> legacy_ports{{
    {0x20, 0x21},   // PIC
    {0x40, 0x43},   // PIT
    {0x60, 0x64},   // keyboard, speaker
    {0x70, 0x71},   // CMOS
    {0x80, 0x80},   // POST code, I/O delay
    {0xA0, 0xA1},   // PIC
    {0xED, 0xED},   // I/O delay
    {0xF4, 0xF4},   // debug exit of emulators
    {0x2E8, 0x2EF}, // further serial ports
    {0x2F8, 0x2FF},
    {0x3E8, 0x3EF},
    {0x4D0, 0x4D1}, // PIC edge/level
    {0xCF8, 0xCFF}, // PCI configuration
}};

// 16550 registers, as offsets from the base.
constexpr std::uint16_t data_or_divisor = 0, interrupt_enable_or_divisor = 1, identification_or_fifo = 2;
constexpr std::uint16_t line_control = 3, modem_control = 4, line_status = 5, modem_status = 6;

constexpr std::uint8_t no_interrupt = 0x01;
constexpr std::uint8_t fifos_enabled = 0xC0;
constexpr std::uint8_t transmitter_empty = 0x60;      // THRE and TEMT
constexpr std::uint8_t carrier_data_set_clear = 0xB0; // DCD, DSR, CTS
constexpr std::uint8_t loopback = 0x10;

} // namespace

PortClass classify_port(std::uint16_t port) {
    if (port >= uart_base && port < uart_base + 8)
        return PortClass::uart;
    for (const PortRange& range : legacy_ports)
        if (port >= range.first && port <= range.last)
            return PortClass::legacy;
    return PortClass::other;
}

std::optional<std::uint8_t> Uart16550::write(std::uint16_t port, std::uint8_t value) {
    switch (port & 7) {
    case data_or_divisor:
        if (divisor_latch())
            divisor_low_ = value;
        else if ((modem_control_ & loopback) == 0)
            return value;
        return std::nullopt;
    case interrupt_enable_or_divisor:
        if (divisor_latch())
            divisor_high_ = value;
        else
            interrupt_enable_ = value & 0x0F;
        return std::nullopt;
    case identification_or_fifo:
        fifo_ = value;
        return std::nullopt;
    case line_control:
        line_control_ = value;
        return std::nullopt;
    case modem_control:
        modem_control_ = value & 0x1F;
        return std::nullopt;
    case line_status:
    case modem_status:
        return std::nullopt;
    default:
        scratch_ = value;
        return std::nullopt;
    }
}

std::uint8_t Uart16550::read(std::uint16_t port) const {
    switch (port & 7) {
    case data_or_divisor:
        return divisor_latch() ? divisor_low_ : 0;
    case interrupt_enable_or_divisor:
        return divisor_latch() ? divisor_high_ : interrupt_enable_;
    case identification_or_fifo:
        return static_cast<std::uint8_t>(no_interrupt | ((fifo_ & 1) != 0 ? fifos_enabled : 0));
    case line_control:
        return line_control_;
    case modem_control:
        return modem_control_;
    case line_status:
        return transmitter_empty;
    case modem_status:
        // In loopback the outputs come back as inputs: DTR-DSR, RTS-CTS, OUT1-RI, OUT2-DCD.
        if ((modem_control_ & loopback) != 0)
            return static_cast<std::uint8_t>((modem_control_ & 0x0C) << 4 | (modem_control_ & 0x02) << 3 |
                                             (modem_control_ & 0x01) << 5);
        return carrier_data_set_clear;
    default:
        return scratch_;
    }
}

} // namespace vcpu
