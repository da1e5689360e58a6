// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/card.cpp - see card.hpp. Thin: which driver, and what lies below it.
#include "partitions/unikernel/start/card.hpp"

#include "arch/x86_64/cpu/fields.hpp"
#include "arch/x86_64/cpu/ports.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/drivers/net/e1000e.hpp"
#include "partitions/drivers/net/igb.hpp"
#include "partitions/drivers/net/virtio.hpp"
#include "partitions/unikernel/machine/cpu.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>

namespace uk::start {

namespace {

// Frames in a row, for as long as the partition runs.
class SharedMemory {
public:
    explicit SharedMemory(base::PhysAddr first) : first_(first), data_(mm::frame_data(first)) {}
    [[nodiscard]] std::uint64_t address() const { return first_.value(); }
    [[nodiscard]] std::uint64_t load64(std::uint32_t at) const { return *word(at); }
    void store64(std::uint32_t at, std::uint64_t value) const { *word(at) = value; }
    [[nodiscard]] std::uint16_t load16(std::uint32_t at) const { return *half(at); }
    void store16(std::uint32_t at, std::uint16_t value) const { *half(at) = value; }
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
        return {data_ + at, count};
    }

private:
    // SAFETY: within the memory; a device may write it at any time.
    [[nodiscard]] volatile std::uint64_t* word(std::uint32_t at) const {
        return reinterpret_cast<volatile std::uint64_t*>(data_ + at);
    }
    // SAFETY: as above.
    [[nodiscard]] volatile std::uint16_t* half(std::uint32_t at) const {
        return reinterpret_cast<volatile std::uint16_t*>(data_ + at);
    }
    base::PhysAddr first_;
    std::byte* data_;
};

using Registers = cpu::Registers;
using cpu::Fields;

constexpr std::uint32_t bar_bits = 7; // of a place: the rest is an offset

base::VirtAddr address_of(const caisson_device& device, std::uint32_t place, std::uint32_t bytes) {
    const std::uint32_t bar = place & bar_bits, offset = place & ~bar_bits;
    if (bar >= std::size(device.bars) || device.bars[bar].bytes < std::uint64_t{offset} + bytes)
        base::fail("network card: a BAR is missing", "", 0);
    const base::PhysAddr first{device.bars[bar].gpa};
    return base::VirtAddr{reinterpret_cast<std::uint64_t>(mm::frame_data(first)) + offset};
}

using Igb = drivers::net::Igb<Registers, SharedMemory>;
using E1000e = drivers::net::E1000e<Registers, SharedMemory>;
using VirtioNet = drivers::net::VirtioNet<Fields, SharedMemory>;

Registers registers_of(const caisson_device& device) {
    constexpr std::uint32_t most = 0x10000; // behind every register that is used
    return Registers{address_of(device, 0, most)};
}
drivers::net::VirtioPlaces<Fields> structures_of(const caisson_device& device) {
    constexpr std::uint32_t common_bytes = 56, own_bytes = 8;
    const Fields notify{address_of(device, device.virtio_notify, 2)};
    const std::uint64_t left =
        device.bars[device.virtio_notify & bar_bits].bytes - (device.virtio_notify & ~bar_bits);
    return {Fields{address_of(device, device.virtio_common, common_bytes)}, notify,
            Fields{address_of(device, device.virtio_device, own_bytes)},
            static_cast<std::uint32_t>(std::min<std::uint64_t>(left, UINT32_MAX)), device.virtio_multiplier};
}

template <typename Driver> drivers::net::Card card_of(Driver& driver) {
    drivers::net::Card card;
    card.driver = &driver;
    card.address = driver.address();
    card.receive = [](void* of, unsigned most, drivers::net::Card::Place place, void (*came)()) {
        return static_cast<Driver*>(of)->receive(most, place, came);
    };
    card.send = [](void* of, std::uint32_t bytes, drivers::net::Card::Fill fill, void* context) {
        return static_cast<Driver*>(of)->send(bytes, [&](std::span<std::byte> to) { fill(context, to); });
    };
    card.has_room = [](void* of) { return static_cast<Driver*>(of)->has_room(); };
    card.hear_groups = [](void* of) { static_cast<Driver*>(of)->hear_groups(); };
    card.tell_of_room = [](void* of, bool on) { static_cast<Driver*>(of)->tell_of_room(on); };
    card.listen = [](void* of, bool on) { return static_cast<Driver*>(of)->listen(on); };
    card.has_link = [](void* of) { return static_cast<Driver*>(of)->has_link(); };
    card.counters = &driver.counters();
    return card;
}

// `registers`: the driver's first argument.
template <typename Driver, typename Places>
drivers::net::Card start_driver(const caisson_device& device, const Places& registers) {
    constexpr std::size_t frames = (Driver::memory_bytes + base::page_size - 1) / base::page_size;
    const auto memory = mm::allocate_frames(frames, mm::Fill::zero);
    auto* driver = memory ? mm::make<Driver>(registers, SharedMemory{*memory}) : nullptr;
    if (driver == nullptr)
        base::fail("out of memory for the network card", "", 0);
    if (device.vectors == 0)
        base::fail("network card: no interrupts", "", 0);
    machine::take_as_lane(device.first_vector);
    constexpr std::uint32_t entry_bytes = 16;
    drivers::net::set_message(Registers{address_of(device, device.msix_table, entry_bytes)}, 0, 0,
                              device.message_address, device.message_data);
    if (!driver->start())
        base::fail("the network card does not answer", "", 0);
    return card_of(*driver);
}

} // namespace

drivers::net::Card start_card(const caisson_boot_page& boot_page) {
    const std::uint32_t count = std::min(boot_page.device_count, CAISSON_DEVICE_MAX);
    for (const caisson_device& device : std::span{boot_page.devices}.first(count)) {
        const auto is = [&device](std::uint16_t vendor, std::uint16_t number) {
            return device.vendor == vendor && device.device == number;
        };
        if (is(Igb::vendor, Igb::device))
            return start_driver<Igb>(device, registers_of(device));
        if (is(E1000e::vendor, E1000e::device))
            return start_driver<E1000e>(device, registers_of(device));
        if (is(VirtioNet::vendor, VirtioNet::device) && device.virtio_multiplier != 0)
            return start_driver<VirtioNet>(device, structures_of(device));
    }
    base::fail("no network card that there is a driver for", "", 0);
}

} // namespace uk::start
