// SPDX-License-Identifier: Apache-2.0
// drivers/seams.hpp - what a driver may touch: ports and registers. Faked in tests, arch/x86_64/cpu/ports.hpp
// in images.
#pragma once

#include <concepts>
#include <cstdint>

namespace drivers {

template <typename T>
concept PortIo = requires(T io, std::uint16_t port, std::uint8_t b, std::uint16_t w, std::uint32_t d) {
    { io.in8(port) } -> std::same_as<std::uint8_t>;
    { io.in16(port) } -> std::same_as<std::uint16_t>;
    { io.in32(port) } -> std::same_as<std::uint32_t>;
    io.out8(port, b);
    io.out16(port, w);
    io.out32(port, d);
};

// Ports and registers in memory, by their address.
template <typename T>
concept PortAndMemoryIo = PortIo<T> && requires(T io, std::uint64_t at, std::uint8_t b, std::uint32_t d) {
    { io.load8(at) } -> std::same_as<std::uint8_t>;
    { io.load32(at) } -> std::same_as<std::uint32_t>;
    io.store8(at, b);
    io.store32(at, d);
};

template <typename T>
concept Mmio = requires(const T registers, std::uint32_t offset, std::uint32_t d, std::uint64_t q) {
    { registers.read32(offset) } -> std::same_as<std::uint32_t>;
    { registers.read64(offset) } -> std::same_as<std::uint64_t>;
    registers.write32(offset, d);
    registers.write64(offset, q);
};

} // namespace drivers
