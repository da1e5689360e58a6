// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/ports.cpp - I/O ports that are not granted: none of them reads or does anything.
#include "partitions/adversary/attack.hpp"

#include <array>

namespace attack {
namespace {

// Every port of a range in every width, read, written with what would do most harm, read again.
Verdict probe(std::uint64_t first, std::uint64_t last) {
    Verdict verdict = Verdict::ignored;
    const unsigned vector = guest::exception_of([&] {
        for (std::uint64_t i = first; i <= last; ++i) {
            const auto port = static_cast<std::uint16_t>(i);
            const bool read = cpu::Ports::in32(port) != 0xFFFFFFFF || cpu::Ports::in16(port) != 0xFFFF ||
                              cpu::Ports::in8(port) != 0xFF;
            cpu::Ports::out8(port, 0x0E);
            cpu::Ports::out16(port, 0x2001);
            cpu::Ports::out32(port, 0x80000000);
            if (read || cpu::Ports::in8(port) != 0xFF || cpu::Ports::in32(port) != 0xFFFFFFFF)
                verdict = Verdict::granted;
        }
    });
    return vector == guest::no_exception ? verdict : verdict_of(vector);
}
// A whole region, a byte a port: nothing answers anywhere.
Verdict sweep(std::uint64_t first, std::uint64_t last) {
    Verdict verdict = Verdict::ignored;
    for (std::uint64_t port = first; port <= last; ++port)
        if (cpu::Ports::in8(static_cast<std::uint16_t>(port)) != 0xFF)
            verdict = Verdict::granted;
    return verdict;
}
// PCI configuration by mechanism 1: the host bridge must not answer.
Verdict pci_configuration(std::uint64_t, std::uint64_t) {
    cpu::Ports::out32(0xCF8, 0x80000000);
    return cpu::Ports::in32(0xCFC) == 0xFFFFFFFF && cpu::Ports::in32(0xCF8) == 0xFFFFFFFF ? Verdict::ignored
                                                                                          : Verdict::granted;
}
Verdict firmware_configuration(std::uint64_t, std::uint64_t) {
    cpu::Ports::out16(0x510, 0);
    for (unsigned i = 0; i < 4; ++i)
        if (cpu::Ports::in8(0x511) != 0xFF)
            return Verdict::granted;
    return Verdict::ignored;
}
// Its own UART, wider than a byte and across its end.
Verdict wide_uart(std::uint64_t, std::uint64_t) {
    cpu::Ports::out32(0x3FF, 0);
    return cpu::Ports::in32(0x3F8) == 0xFFFFFFFF && cpu::Ports::in16(0x3FF) == 0xFFFF ? Verdict::ignored
                                                                                      : Verdict::granted;
}

alignas(4096) std::array<std::uint8_t, 4096> buffer;
Verdict string_in(std::uint64_t port, std::uint64_t count) {
    buffer.fill(0x55);
    const Verdict seen = attempt([=] {
        auto to = reinterpret_cast<std::uint64_t>(buffer.data());
        std::uint64_t left = count;
        asm volatile("rep insb" : "+D"(to), "+c"(left) : "d"(static_cast<std::uint16_t>(port)) : "memory");
    });
    for (const std::uint8_t byte : buffer)
        if (byte != 0x55)
            return Verdict::granted;
    return seen;
}
Verdict string_out(std::uint64_t port, std::uint64_t count) {
    return attempt([=] {
        auto from = reinterpret_cast<std::uint64_t>(buffer.data());
        std::uint64_t left = count;
        asm volatile("rep outsl" : "+S"(from), "+c"(left) : "d"(static_cast<std::uint16_t>(port)) : "memory");
    });
}
// In ring 3 the guest's own IOPL refuses first.
Verdict from_ring3(std::uint64_t, std::uint64_t) {
    return attempt([] { in_ring3([] { cpu::Ports::out8(0xCF9, 6); }); });
}

constexpr Expected ignored_port{Verdict::ignored, Audit::port};
constexpr Expected ignored_legacy{Verdict::ignored, Audit::port_legacy};
constexpr Expected gp_string{Verdict::gp, Audit::port_string};

constexpr std::array<Case, 26> cases{{
    {"pic", ignored_legacy, probe, 0x20, 0x21},
    {"pic-second", ignored_legacy, probe, 0xA0, 0xA1},
    {"pit", ignored_legacy, probe, 0x40, 0x43},
    {"keyboard-reset", ignored_legacy, probe, 0x60, 0x64},
    {"cmos", ignored_legacy, probe, 0x70, 0x71},
    {"post", ignored_legacy, probe, 0x80, 0x80},
    {"debug-exit", ignored_legacy, probe, 0xF4, 0xF4},
    {"other-serial-lines", ignored_legacy, probe, 0x2F8, 0x2FF},
    {"pci-configuration", ignored_legacy, pci_configuration},
    {"pci-and-reset", ignored_legacy, probe, 0xCF8, 0xCFF},
    {"edge-level", ignored_legacy, probe, 0x4D0, 0x4D1},
    {"dma", ignored_port, probe, 0x00, 0x0F},
    {"system-control", ignored_port, probe, 0x92, 0x92},
    {"smi-command", ignored_port, probe, 0xB2, 0xB3},
    {"firmware-configuration", ignored_port, firmware_configuration},
    {"firmware-configuration-dma", ignored_port, probe, 0x510, 0x51B},
    {"acpi-power-management", ignored_port, probe, 0x600, 0x67F},
    {"vmware-backdoor", ignored_port, probe, 0x5658, 0x5659},
    {"emulator-console", ignored_port, probe, 0xE9, 0xE9},
    {"emulator-shutdown", ignored_port, probe, 0x8900, 0x8900},
    {"disk-and-vga", ignored_port, probe, 0x1F0, 0x1F7},
    {"wide-access-to-uart", ignored_port, wide_uart},
    {"sweep-high", ignored_port, sweep, 0xC000, 0xFFFF},
    {"string-in", gp_string, string_in, 0x71, 16},
    {"string-out", gp_string, string_out, 0xCFC, 16},
    {"out-from-ring-3", Verdict::gp, from_ring3},
}};

} // namespace

std::span<const Case> port_cases() {
    return cases;
}

} // namespace attack
