// SPDX-License-Identifier: Apache-2.0
// drivers/uart/start.hpp - finding a 16550 and setting it up; uart.hpp speaks through it afterwards.
//
// Trust: device registers are hostile: nothing they say is followed.
// Spec:  National Semiconductor PC16550D data sheet; PCI Code and ID Assignment 1.11, class 07h; PCI Local Bus 3.0, 6.2.5.1.
#pragma once

#include "drivers/pci/bus_masters.hpp"
#include "drivers/uart/uart.hpp"

namespace drivers {

inline constexpr std::uint16_t com1 = 0x3f8;
inline constexpr unsigned com1_pin = 4; // where ISA interrupt 4 arrives by every MADT seen

// Sets line (8n1) and FIFOs of the UART at `place`; false when nothing answers there (its scratch register keeps no value): `uart`
// is as it was. `divisor` of 115200 baud; 0: the rate stays as firmware set it.
template <PortAndMemoryIo Io>
bool start(Uart<Io>& uart, Io io, const UartPlace& place, std::uint16_t divisor) {
    constexpr unsigned scratch = 7;
    constexpr std::uint8_t pattern = 0x5a, divisor_latch = 0x80, eight_bits = 0x03,
                           fifo_on_and_cleared = 0x07, fifo_works = 0xC0;
    using Chip = Uart<Io>;
    Chip chip{io};
    chip.use(place, false);
    chip.write(scratch, pattern);
    if (chip.read(scratch) != pattern)
        return false;
    chip.write(Chip::interrupt_enable, 0);
    if (divisor != 0) { // it lies in the first two registers while the latch is open
        chip.write(Chip::line_control, divisor_latch);
        chip.write(Chip::data, divisor & 0xff);
        chip.write(Chip::interrupt_enable, divisor >> 8);
    }
    chip.write(Chip::line_control, eight_bits);
    chip.write(Chip::fifo_control, fifo_on_and_cleared);
    chip.write(Chip::modem_control, Chip::terminal_and_request);
    // A 8250 or 16450 has no FIFO, the first 16550 a broken one: 11 says that it works.
    uart.use(place, (chip.read(Chip::fifo_control) & fifo_works) == fifo_works);
    return true;
}

// Where the first PCI card that says it is a serial controller of the 16550's kind has its registers: in ports, or bytes in
// memory.
template <PortIo Io> std::optional<UartPlace> find_serial_card(PciConfiguration<Io>& pci) {
    constexpr std::uint8_t class_code = 8, first_base = 0x10;
    constexpr std::uint32_t serial = 0x0700, in_ports = 1, long_address = 4, ports_on = 1, memory_on = 2;
    std::optional<UartPlace> found;
    each_function(
        0xff, [&pci](PciFunction at) { return pci.read(at, 0); },
        [&](PciFunction at) {
            if (found || pci.read(at, class_code) >> 16 != serial)
                return;
            const std::uint32_t low = pci.read(at, first_base);
            const bool ports = (low & in_ports) != 0;
            UartPlace place{low & (ports ? ~7u : ~0xFu), !ports};
            if (!ports && (low & long_address) != 0)
                place.base |= std::uint64_t{pci.read(at, first_base + 4)} << 32;
            if (place.base == 0 || (ports && place.base > 0xfff8))
                return;
            pci.write(at, pci_command,
                      static_cast<std::uint16_t>(pci.read(at, pci_command) | (ports ? ports_on : memory_on)));
            found = place;
        });
    return found;
}

} // namespace drivers
