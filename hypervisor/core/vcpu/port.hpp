// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/port.hpp - I/O ports of a partition: a 16550 for kernels of one's own, the
// rest floats.
//
// Pure. Every port exits; nothing is passed through. A port that is not granted reads all ones and
// ignores writes, as an empty bus does, and is counted.
// Trust:      port, width and value are the guest's.
// Spec:       National Semiconductor PC16550D data sheet; docs/hypervisor.md rules 16, 18.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

namespace vcpu {

struct PortAccess {
    std::uint16_t port = 0;
    std::uint8_t bytes = 1; // 1, 2 or 4
    bool in = false;
    bool string = false; // INS or OUTS, with or without REP
};

enum class PortClass : std::uint8_t { uart, legacy, other };
[[nodiscard]] PortClass classify_port(std::uint16_t port);

inline constexpr std::uint16_t uart_base = 0x3F8;

// The transmit half of a 16550 at 0x3f8: always ready, never receives, no interrupts. Each vCPU has its own.
class Uart16550 {
public:
    // A byte to print, if this write sent one.
    [[nodiscard]] std::optional<std::uint8_t> write(std::uint16_t port, std::uint8_t value);
    [[nodiscard]] std::uint8_t read(std::uint16_t port) const;

private:
    // With the divisor latch open the first two registers are the divisor.
    [[nodiscard]] bool is_divisor(unsigned index) const;
    std::array<std::uint8_t, 8> registers_{}; // as written
    std::array<std::uint8_t, 2> divisor_{1, 0};
};

} // namespace vcpu
