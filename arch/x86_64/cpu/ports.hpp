// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/ports.hpp - the real machine's side of the PortIo and Mmio seams (drivers/seams.hpp).
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/cpu/raw.hpp"

namespace cpu {

struct Ports {
    static std::uint8_t in8(std::uint16_t port) { return in<std::uint8_t>(port); }
    static std::uint16_t in16(std::uint16_t port) { return in<std::uint16_t>(port); }
    static std::uint32_t in32(std::uint16_t port) { return in<std::uint32_t>(port); }
    static void out8(std::uint16_t port, std::uint8_t value) { out(port, value); }
    static void out16(std::uint16_t port, std::uint16_t value) { out(port, value); }
    static void out32(std::uint16_t port, std::uint32_t value) { out(port, value); }
};

// Registers of one device, mapped at `base`.
// Registers of a device that lie in ports or in memory, there at their physical address: both.
struct PortsAndMemory : Ports {
    static std::uint8_t load8(std::uint64_t at) { return mmio_read<std::uint8_t>(base::VirtAddr{at}); }
    static std::uint32_t load32(std::uint64_t at) { return mmio_read<std::uint32_t>(base::VirtAddr{at}); }
    static std::uint16_t load16(std::uint64_t at) { return mmio_read<std::uint16_t>(base::VirtAddr{at}); }
    static void store8(std::uint64_t at, std::uint8_t value) { mmio_write(base::VirtAddr{at}, value); }
    static void store16(std::uint64_t at, std::uint16_t value) { mmio_write(base::VirtAddr{at}, value); }
    static void store32(std::uint64_t at, std::uint32_t value) { mmio_write(base::VirtAddr{at}, value); }
};

class Registers {
public:
    explicit Registers(base::VirtAddr base) : base_(base) {}
    [[nodiscard]] std::uint32_t read32(std::uint32_t offset) const {
        return mmio_read<std::uint32_t>(at(offset));
    }
    [[nodiscard]] std::uint64_t read64(std::uint32_t offset) const {
        return mmio_read<std::uint64_t>(at(offset));
    }
    void write32(std::uint32_t offset, std::uint32_t value) const { mmio_write(at(offset), value); }
    void write16(std::uint32_t offset, std::uint16_t value) const { mmio_write(at(offset), value); }
    void write64(std::uint32_t offset, std::uint64_t value) const { mmio_write(at(offset), value); }

private:
    [[nodiscard]] base::VirtAddr at(std::uint32_t offset) const {
        return base::VirtAddr{base_.value() + offset};
    }
    base::VirtAddr base_;
};

} // namespace cpu
