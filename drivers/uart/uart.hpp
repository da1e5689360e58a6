// SPDX-License-Identifier: Apache-2.0
// drivers/uart/uart.hpp - the hypervisor's serial line: a 16550 at COM1, 115200 8n1, polled, output only.
//
// A missing or stuck UART costs a bounded wait for each byte and loses it; nothing else.
// Spec: National Semiconductor PC16550D data sheet.
#pragma once

#include "drivers/seams.hpp"

#include <cstddef>
#include <span>

namespace drivers {

template <PortIo Io> class Uart {
public:
    static constexpr std::uint16_t com1 = 0x3f8;

    explicit constexpr Uart(Io io) : io_(io) {}

    // Sets line and FIFOs; false when nothing answers at this address (its scratch register keeps no value).
    bool start() {
        io_.out8(port(scratch), 0x5a);
        present_ = io_.in8(port(scratch)) == 0x5a;
        if (!present_)
            return false;
        // The divisor, 1, lies in the first two registers while the latch is open.
        for (const auto& [reg, value] :
             {Setting{interrupt_enable, 0}, Setting{line_control, divisor_latch}, Setting{data, 1},
              Setting{interrupt_enable, 0}, Setting{line_control, eight_bits},
              Setting{fifo_control, fifo_on_and_cleared}, Setting{modem_control, terminal_and_request}})
            io_.out8(port(reg), value);
        return true;
    }

    void write(std::span<const std::byte> bytes) {
        if (!present_)
            return;
        for (const std::byte byte : bytes) {
            wait_for(holding_empty);
            io_.out8(port(data), static_cast<std::uint8_t>(byte));
        }
    }

    // Until the last byte is on the wire (before power is cut).
    void drain() {
        if (present_)
            wait_for(all_empty);
    }

private:
    static constexpr std::uint16_t data = 0, interrupt_enable = 1, fifo_control = 2, line_control = 3,
                                   modem_control = 4, line_status = 5, scratch = 7;
    struct Setting {
        std::uint16_t reg;
        std::uint8_t value;
    };
    static constexpr std::uint8_t divisor_latch = 0x80, eight_bits = 0x03, fifo_on_and_cleared = 0x07;
    static constexpr std::uint8_t terminal_and_request = 0x03, holding_empty = 0x20, all_empty = 0x40;
    // 16 bytes at 115200 baud are 1.4 ms; a port read takes about a microsecond.
    static constexpr unsigned patience = 20'000;

    [[nodiscard]] static std::uint16_t port(std::uint16_t reg) {
        return static_cast<std::uint16_t>(com1 + reg);
    }
    void wait_for(std::uint8_t bit) {
        for (unsigned i = 0; i < patience; ++i)
            if ((io_.in8(port(line_status)) & bit) != 0)
                return;
    }

    [[no_unique_address]] Io io_;
    bool present_ = false;
};

} // namespace drivers
