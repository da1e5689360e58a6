// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/card.cpp - see card.hpp. Thin: which driver, and what lies below it.
#include "partitions/unikernel/start/card.hpp"

#include "arch/x86_64/cpu/ports.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/drivers/net/igb.hpp"
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
    [[nodiscard]] std::span<std::byte> bytes(std::uint32_t at, std::uint32_t count) const {
        return {data_ + at, count};
    }

private:
    // SAFETY: within the memory; a device may write it at any time.
    [[nodiscard]] volatile std::uint64_t* word(std::uint32_t at) const {
        return reinterpret_cast<volatile std::uint64_t*>(data_ + at);
    }
    base::PhysAddr first_;
    std::byte* data_;
};

using Registers = cpu::Registers;

Registers registers_of(const caisson_device& device, unsigned bar) {
    const std::uint64_t gpa = device.bars[bar].gpa;
    if (device.bars[bar].bytes == 0)
        base::fail("network card: a BAR is missing", "", 0);
    return Registers{base::VirtAddr{reinterpret_cast<std::uint64_t>(mm::frame_data(base::PhysAddr{gpa}))}};
}

template <typename Driver> wires::Card card_of(Driver& driver) {
    wires::Card card;
    card.driver = &driver;
    card.address = driver.address();
    card.receive = [](void* of, unsigned most, wires::Card::Place place, void (*came)()) {
        return static_cast<Driver*>(of)->receive(most, place, came);
    };
    card.send = [](void* of, std::uint32_t bytes, wires::Card::Fill fill, void* context) {
        return static_cast<Driver*>(of)->send(bytes, [&](std::span<std::byte> to) { fill(context, to); });
    };
    card.has_room = [](void* of) { return static_cast<Driver*>(of)->has_room(); };
    card.tell_of_room = [](void* of, bool on) { static_cast<Driver*>(of)->tell_of_room(on); };
    card.listen = [](void* of, bool on) { static_cast<Driver*>(of)->listen(on); };
    return card;
}

template <typename Driver> wires::Card start_driver(const caisson_device& device) {
    constexpr std::size_t frames = (Driver::memory_bytes + base::page_size - 1) / base::page_size;
    const auto memory = mm::allocate_frames(frames, mm::Fill::zero);
    auto* driver = memory ? mm::make<Driver>(registers_of(device, 0), SharedMemory{*memory}) : nullptr;
    if (driver == nullptr)
        base::fail("out of memory for the network card", "", 0);
    constexpr std::uint32_t bar_bits = 7;
    if (device.vectors == 0 || (device.msix_table & bar_bits) >= std::size(device.bars))
        base::fail("network card: no interrupts", "", 0);
    machine::take_as_lane(device.first_vector);
    drivers::net::set_message(registers_of(device, device.msix_table & bar_bits),
                              device.msix_table & ~bar_bits, 0, device.message_address, device.message_data);
    if (!driver->start())
        base::fail("the network card does not answer", "", 0);
    return card_of(*driver);
}

} // namespace

wires::Card start_card(const caisson_boot_page& boot_page) {
    using Igb = drivers::net::Igb<Registers, SharedMemory>;
    const std::uint32_t count = std::min(boot_page.device_count, CAISSON_DEVICE_MAX);
    for (const caisson_device& device : std::span{boot_page.devices}.first(count))
        if (device.vendor == Igb::vendor && device.device == Igb::device)
            return start_driver<Igb>(device);
    base::fail("no network card that there is a driver for", "", 0);
}

} // namespace uk::start
