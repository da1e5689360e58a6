// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/port.cpp - port classes and the transmit half of a 16550.
#include "hypervisor/core/vcpu/port.hpp"

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

// 16550 registers, as offsets from the base, and the bits of each that keep what is written.
constexpr unsigned data = 0, identification_or_fifo = 2, line_control = 3, modem_control = 4, line_status = 5,
                   modem_status = 6;
constexpr std::array<std::uint8_t, 8> writable{0, 0x0F, 0xFF, 0xFF, 0x1F, 0, 0, 0xFF};

constexpr std::uint8_t divisor_latch = 0x80; // of line_control
constexpr std::uint8_t loopback = 0x10;      // of modem_control
constexpr std::uint8_t no_interrupt = 0x01;
constexpr std::uint8_t fifos_enabled = 0xC0;
constexpr std::uint8_t transmitter_empty = 0x60;      // THRE and TEMT
constexpr std::uint8_t carrier_data_set_clear = 0xB0; // DCD, DSR, CTS

} // namespace

PortClass classify_port(std::uint16_t port) {
    if (port >= uart_base && port < uart_base + 8)
        return PortClass::uart;
    for (const PortRange& range : legacy_ports)
        if (port >= range.first && port <= range.last)
            return PortClass::legacy;
    return PortClass::other;
}

bool Uart16550::is_divisor(unsigned index) const {
    return index < divisor_.size() && (registers_[line_control] & divisor_latch) != 0;
}

std::optional<std::uint8_t> Uart16550::write(std::uint16_t port, std::uint8_t value) {
    const unsigned index = port & 7;
    if (is_divisor(index))
        divisor_[index] = value;
    else if (index == data && (registers_[modem_control] & loopback) == 0)
        return value;
    else
        registers_[index] = value & writable[index];
    return std::nullopt;
}

std::uint8_t Uart16550::read(std::uint16_t port) const {
    const unsigned index = port & 7;
    if (is_divisor(index))
        return divisor_[index];
    const unsigned modem = registers_[modem_control];
    switch (index) {
    case identification_or_fifo:
        return (registers_[index] & 1) != 0 ? no_interrupt | fifos_enabled : no_interrupt;
    case line_status:
        return transmitter_empty;
    case modem_status:
        // In loopback the outputs come back as inputs: DTR-DSR, RTS-CTS, OUT1-RI, OUT2-DCD.
        if ((modem & loopback) != 0)
            return static_cast<std::uint8_t>((modem & 0x0C) << 4 | (modem & 0x02) << 3 | (modem & 0x01) << 5);
        return carrier_data_set_clear;
    default:
        return registers_[index];
    }
}

} // namespace vcpu
