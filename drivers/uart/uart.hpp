// SPDX-License-Identifier: Apache-2.0
// drivers/uart/uart.hpp - the hypervisor's serial line: a 16550; output polled; input, where it is asked for, by
// interrupt.
//
// Nothing here waits. A missing UART takes everything at once and loses it.
// Spec: National Semiconductor PC16550D data sheet.
#pragma once

#include "drivers/seams.hpp"

#include <cstddef>
#include <optional>

namespace drivers {

// Where its registers are: in I/O ports, or in memory, there so many bytes apart and read as bytes or as words of 32 bits.
struct UartPlace {
    std::uint64_t base = 0; // 0: there is none
    bool in_memory = false, wide = false;
    std::uint8_t stride = 1;
};

template <PortAndMemoryIo Io> class Uart {
public:
    constexpr Uart() = default;
    explicit constexpr Uart(Io io) : io_(io) {}

    // Where it is and whether it has a FIFO (drivers/uart/start.hpp).
    void use(const UartPlace& place, bool fifo) {
        place_ = place;
        fifo_ = fifo;
    }

    // How many bytes it takes now; 0: busy.
    [[nodiscard]] unsigned room() {
        if (there() && (read(line_status) & holding_empty) == 0)
            return 0;
        return fifo_ || !there() ? fifo_bytes : 1;
    }
    // After room(): one of these bytes.
    void put(std::uint8_t byte) {
        if (there())
            write(data, byte);
    }
    // Whether a byte that comes interrupts. Touches nothing that sending needs.
    void listen(bool on) {
        if (!there())
            return;
        write(modem_control, terminal_and_request | (on ? interrupt_gate : 0));
        write(interrupt_enable, on ? received : 0);
    }
    // The next byte that came, if one did.
    [[nodiscard]] std::optional<std::uint8_t> get() {
        if (!there() || (read(line_status) & data_ready) == 0)
            return std::nullopt;
        return read(data);
    }
    // The last byte is on the wire.
    [[nodiscard]] bool drained() { return !there() || (read(line_status) & all_empty) != 0; }

    // Register by register, for start().
    [[nodiscard]] std::uint8_t read(unsigned reg) {
        const std::uint64_t at = place_.base + reg * place_.stride;
        if (!place_.in_memory)
            return io_.in8(static_cast<std::uint16_t>(at));
        return place_.wide ? static_cast<std::uint8_t>(io_.load32(at)) : io_.load8(at);
    }
    void write(unsigned reg, unsigned value) {
        const std::uint64_t at = place_.base + reg * place_.stride;
        const auto byte = static_cast<std::uint8_t>(value);
        if (!place_.in_memory)
            io_.out8(static_cast<std::uint16_t>(at), byte);
        else
            place_.wide ? io_.store32(at, byte) : io_.store8(at, byte);
    }

    static constexpr unsigned data = 0, interrupt_enable = 1, fifo_control = 2, line_control = 3,
                              modem_control = 4, line_status = 5;
    static constexpr std::uint8_t terminal_and_request = 0x03;

private:
    static constexpr std::uint8_t data_ready = 0x01, received = 0x01, interrupt_gate = 0x08,
                                  holding_empty = 0x20, all_empty = 0x40;
    static constexpr unsigned fifo_bytes = 16;

    [[nodiscard]] bool there() const { return place_.base != 0; }

    [[no_unique_address]] Io io_;
    UartPlace place_;
    bool fifo_ = false;
};

} // namespace drivers
