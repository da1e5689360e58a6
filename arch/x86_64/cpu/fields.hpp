// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/fields.hpp - a device's registers of whichever width, mapped at an address (partitions/drivers/net/virtio.hpp).
#pragma once

#include "arch/x86_64/cpu/raw.hpp"

namespace cpu {

class Fields {
public:
    explicit Fields(base::VirtAddr first) : first_(first.value()) {}
    [[nodiscard]] std::uint8_t read8(std::uint32_t at) const { return mmio_read<std::uint8_t>(place(at)); }
    [[nodiscard]] std::uint16_t read16(std::uint32_t at) const { return mmio_read<std::uint16_t>(place(at)); }
    [[nodiscard]] std::uint32_t read32(std::uint32_t at) const { return mmio_read<std::uint32_t>(place(at)); }
    void write8(std::uint32_t at, std::uint8_t value) const { mmio_write(place(at), value); }
    void write16(std::uint32_t at, std::uint16_t value) const { mmio_write(place(at), value); }
    void write32(std::uint32_t at, std::uint32_t value) const { mmio_write(place(at), value); }

private:
    [[nodiscard]] base::VirtAddr place(std::uint32_t at) const { return base::VirtAddr{first_ + at}; }
    std::uint64_t first_;
};

} // namespace cpu
