// SPDX-License-Identifier: Apache-2.0
// drivers/uart/uart.hpp - the hypervisor's serial line: a 16550 at COM1, 115200 8n1, polled, output only.
//
// Nothing here waits. A missing UART takes everything at once and loses it.
// Spec: National Semiconductor PC16550D data sheet.
#pragma once

#include "drivers/seams.hpp"

#include <cstddef>

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
        // A 8250 or 16450 has no FIFO, the first 16550 a broken one: 11 says that it works.
        fifo_ = (io_.in8(port(fifo_control)) & fifo_works) == fifo_works;
        return true;
    }

    // How many bytes it takes now; 0: busy.
    [[nodiscard]] unsigned room() {
        if (present_ && (io_.in8(port(line_status)) & holding_empty) == 0)
            return 0;
        return fifo_ || !present_ ? fifo_bytes : 1;
    }
    // After room(): one of these bytes.
    void put(std::uint8_t byte) {
        if (present_)
            io_.out8(port(data), byte);
    }
    // The last byte is on the wire.
    [[nodiscard]] bool drained() { return !present_ || (io_.in8(port(line_status)) & all_empty) != 0; }

private:
    static constexpr std::uint16_t data = 0, interrupt_enable = 1, fifo_control = 2, line_control = 3,
                                   modem_control = 4, line_status = 5, scratch = 7;
    struct Setting {
        std::uint16_t reg;
        std::uint8_t value;
    };
    static constexpr std::uint8_t divisor_latch = 0x80, eight_bits = 0x03, fifo_on_and_cleared = 0x07,
                                  fifo_works = 0xC0;
    static constexpr std::uint8_t terminal_and_request = 0x03, holding_empty = 0x20, all_empty = 0x40;
    static constexpr unsigned fifo_bytes = 16;

    [[nodiscard]] static std::uint16_t port(std::uint16_t reg) {
        return static_cast<std::uint16_t>(com1 + reg);
    }

    [[no_unique_address]] Io io_;
    bool present_ = false, fifo_ = false;
};

} // namespace drivers
