// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/runtime/cards.hpp - network cards as a means to reach memory: the drivers of partitions/drivers/net over memory that
// lies to the card about where it is.
#pragma once

#include "arch/x86_64/cpu/fields.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/drivers/net/e1000e.hpp"
#include "partitions/drivers/net/igb.hpp"
#include "partitions/drivers/net/virtio.hpp"

#include <cstdint>
#include <span>

namespace guest {

// Where the card is told that things lie; 0: where they do.
struct Lies {
    std::uint64_t rings = 0;   // and all buffers behind them
    std::uint64_t receive = 0; // each buffer that it fills
    std::uint64_t send = 0;    // each buffer that it sends
};

// Memory of a driver's, as the DmaMemory seam.
class LyingMemory {
public:
    // `bytes` lies at a multiple of 4096. The driver's buffers begin at those offsets.
    LyingMemory(std::span<std::byte> bytes, const Lies& lies, std::uint32_t receive, std::uint32_t send)
        : bytes_(bytes), lies_(lies), receive_(receive), send_(send) {}
    [[nodiscard]] std::uint64_t address() const {
        return lies_.rings != 0 ? lies_.rings : reinterpret_cast<std::uint64_t>(bytes_.data());
    }
    [[nodiscard]] std::uint64_t load64(std::uint32_t at) const { return *place<std::uint64_t>(at); }
    [[nodiscard]] std::uint16_t load16(std::uint32_t at) const { return *place<std::uint16_t>(at); }
    void store16(std::uint32_t at, std::uint16_t value) const { *place<std::uint16_t>(at) = value; }
    void store64(std::uint32_t at, std::uint64_t value) const {
        const std::uint64_t offset = value - address(); // of a buffer, where it is one's address
        if (offset >= receive_ && offset < send_ && lies_.receive != 0)
            value = lies_.receive;
        else if (offset >= send_ && offset < bytes_.size() && lies_.send != 0)
            value = lies_.send;
        *place<std::uint64_t>(at) = value;
    }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
        return bytes_.subspan(at, count);
    }

private:
    // SAFETY: within the memory; a device may write it at any time.
    template <typename T> [[nodiscard]] volatile T* place(std::uint32_t at) const {
        return reinterpret_cast<volatile T*>(bytes_.data() + at);
    }
    std::span<std::byte> bytes_;
    Lies lies_;
    std::uint32_t receive_, send_;
};

using E1000e = drivers::net::E1000e<cpu::Registers, LyingMemory>;
using Igb = drivers::net::Igb<cpu::Registers, LyingMemory>;
using VirtioNet = drivers::net::VirtioNet<cpu::Fields, LyingMemory>;

// Where a place (boot_page.h) of a device lies.
[[nodiscard]] inline base::VirtAddr address_of(const caisson_device& device, std::uint32_t place) {
    return base::VirtAddr{device.bars[place & 7].gpa + (place & ~7u)};
}
// A driver's first argument.
template <typename Driver> [[nodiscard]] auto registers_of(const caisson_device& device) {
    constexpr std::uint32_t notify_bytes = 4096; // QEMU's: 4 of them a queue
    if constexpr (Driver::vendor == VirtioNet::vendor)
        return drivers::net::VirtioPlaces<cpu::Fields>{cpu::Fields{address_of(device, device.virtio_common)},
                                                       cpu::Fields{address_of(device, device.virtio_notify)},
                                                       cpu::Fields{address_of(device, device.virtio_device)},
                                                       notify_bytes, device.virtio_multiplier};
    else
        return cpu::Registers{address_of(device, 0)};
}

} // namespace guest
