// SPDX-License-Identifier: Apache-2.0
// partitions/adversary/classes/cards.cpp - of class `dma`: network cards of one's own that are told to fetch and to store where their owner
// may not. They hang on one wire (image-tools/attack gives them): an honest one sends what a lying one is to receive.
#include "partitions/adversary/runtime/cards.hpp"
#include "partitions/adversary/attack.hpp"

#include <algorithm>
#include <array>

namespace attack {
namespace {

constexpr std::uint64_t page = 4096, behind_4_gib = std::uint64_t{1} << 32;
constexpr std::uint64_t reset_vector = 0xffffffc0; // the last frame_bytes of firmware
// Looks at what may never come, and at what comes if the machine lives.
constexpr unsigned soon = 200'000, patience = 20'000'000;
// More than a ring holds: the first are over when the last has been taken.
constexpr unsigned frames = 80;
constexpr std::size_t frame_bytes = 60;
constexpr std::uint32_t memory_bytes =
    std::max({guest::E1000e::memory_bytes, guest::VirtioNet::memory_bytes});
alignas(page) std::array<std::byte, memory_bytes> lying_memory{}, honest_memory{};
volatile unsigned strange = 0;

template <typename Driver> const caisson_device* find() {
    const caisson_boot_page& boot = guest::boot_page();
    for (const caisson_device& device : std::span{boot.devices}.first(boot.device_count))
        if (device.vendor == Driver::vendor && device.device == Driver::device)
            return &device;
    return nullptr;
}
void reset(const cpu::Registers& card) {
    constexpr std::uint32_t control = 0, reset_bit = 1u << 26;
    card.write32(control, reset_bit);
    for (unsigned i = 0; i < 1000; ++i)
        cpu::pause();
}
void reset(const drivers::net::VirtioPlaces<cpu::Fields>& card) {
    constexpr std::uint32_t device_status = 0x14;
    card.common.write8(device_status, 0);
}
// A card whatever became of it in another case, with its driver.
template <typename Driver> Driver driver(std::span<std::byte> memory, const guest::Lies& lies) {
    const std::span<std::byte> own = memory.first(Driver::memory_bytes);
    const auto registers = guest::registers_of<Driver>(*find<Driver>());
    reset(registers);
    std::ranges::fill(own, std::byte{0});
    return Driver{registers, guest::LyingMemory{own, lies, Driver::buffers, Driver::transmit_buffers}};
}

// A frame for everybody.
void fill(std::span<std::byte> to) {
    std::ranges::fill(to, std::byte{0xA5});
    std::ranges::fill(to.first(6), std::byte{0xFF});
}
// False: it has no room for one in so many looks.
template <typename Driver> bool send(Driver& card, unsigned looks) {
    for (unsigned sent = 0; sent < frames; ++sent) {
        for (unsigned look = 0; !card.has_room(); ++look) {
            if (look == looks)
                return false;
            cpu::pause();
        }
        if (!card.send(frame_bytes, fill))
            return false;
    }
    return true;
}
template <typename Driver> bool start(Driver& card) {
    if (!card.start())
        return false;
    for (unsigned look = 0; !card.has_link(); ++look) {
        if (look == patience)
            return false;
        cpu::pause();
    }
    return true;
}
// How many frames came that hold something. What a card reads in vain QEMU sends as zeros.
template <typename Driver> unsigned receive(Driver& card) {
    static std::array<std::byte, Driver::came_most> place;
    static std::size_t length;
    unsigned held = 0;
    (void)card.receive(
        frames,
        [](std::uint32_t bytes) {
            length = bytes;
            return std::span{place}.first(bytes);
        },
        [&held] {
            held += std::ranges::any_of(std::span{place}.first(length),
                                        [](std::byte byte) { return byte != std::byte{0}; })
                        ? 1
                        : 0;
        });
    return held;
}

// The honest card of a lying one.
template <typename Driver> struct Other { using Type = guest::VirtioNet; };
template <> struct Other<guest::VirtioNet> { using Type = guest::E1000e; };

// The lying card fills a buffer there with what the honest one sends.
template <typename Driver> Verdict receives(std::uint64_t address, std::uint64_t) {
    aim(find<Driver>()->requester, address);
    auto card = driver<Driver>(lying_memory, {.receive = address});
    auto other = driver<typename Other<Driver>::Type>(honest_memory, {});
    if (!start(card) || !start(other) || !send(other, patience))
        return Verdict::exception;
    return Verdict::contained;
}
// It sends what lies there. Whoever receives that has read it.
template <typename Driver> Verdict sends(std::uint64_t address, std::uint64_t) {
    aim(find<Driver>()->requester, address);
    auto card = driver<Driver>(lying_memory, {.send = address});
    auto other = driver<typename Other<Driver>::Type>(honest_memory, {});
    if (!start(card) || !start(other))
        return Verdict::exception;
    (void)send(card, soon);
    return receive(other) == 0 ? Verdict::contained : Verdict::granted;
}
// It reads there what to do, and writes there what it has done.
template <typename Driver> Verdict rings(std::uint64_t address, std::uint64_t) {
    // A virtio device looks at its queue to send first, which lies in the second page (partitions/drivers/net/virtio.hpp).
    aim(find<Driver>()->requester, address + (Driver::vendor == guest::VirtioNet::vendor ? page : 0));
    auto card = driver<Driver>(lying_memory, {.rings = address});
    if (!card.start())
        return Verdict::contained;
    return !send(card, soon) ? Verdict::contained : Verdict::granted;
}
template <typename Driver, Verdict (*attack)(std::uint64_t, std::uint64_t)>
Verdict behind_memory(std::uint64_t distance, std::uint64_t) {
    return attack(guest::boot_page().memory_bytes + distance, 0);
}
// Where its owner can read what became of it.
template <typename Driver> Verdict receives_readable(std::uint64_t address) {
    const auto* const words = reinterpret_cast<const volatile std::uint64_t*>(address);
    const std::uint64_t before = words[2]; // behind what a header may leave as it is
    const Verdict verdict = receives<Driver>(address, 0);
    return words[2] == before ? verdict : Verdict::granted;
}
template <typename Driver> Verdict receives_in_root(std::uint64_t, std::uint64_t) {
    return receives_readable<Driver>(guest::boot_page().root_gpa);
}
template <typename Driver> Verdict receives_in_lane(std::uint64_t own, std::uint64_t) {
    const caisson_link& link = guest::boot_page().links[0];
    return receives_readable<Driver>(own != 0 ? link.send_gpa : link.receive_gpa);
}
template <typename Driver> Verdict sends_lane(std::uint64_t, std::uint64_t) {
    return sends<Driver>(guest::boot_page().links[0].send_gpa, 0); // all ones: look_at_lanes()
}
template <typename Driver> Verdict receives_in_registers(std::uint64_t, std::uint64_t) {
    return receives<Driver>(guest::boot_page().devices[0].bars[0].gpa, 0);
}

// It interrupts by the message of the partition's first device: a remapping entry is one requester's.
template <typename Driver> Verdict message_of_another(std::uint64_t, std::uint64_t) {
    const caisson_device& own = *find<Driver>();
    const caisson_device& first = guest::boot_page().devices[0];
    aim_message(own.requester, first.message_address, first.message_data);
    auto card = driver<Driver>(lying_memory, {});
    auto other = driver<typename Other<Driver>::Type>(honest_memory, {});
    drivers::net::set_message(cpu::Registers{guest::address_of(own, own.msix_table)}, 0, 0,
                              first.message_address, first.message_data);
    guest::interrupt_hook = [](unsigned) { strange = strange + 1; };
    if (!start(card) || !start(other))
        return Verdict::exception;
    (void)card.listen(true);
    if (!send(other, patience))
        return Verdict::exception;
    asm volatile("sti" : : : "memory");
    for (unsigned i = 0; i < soon; ++i)
        cpu::pause();
    asm volatile("cli" : : : "memory");
    return strange == 0 ? Verdict::contained : Verdict::granted;
}

// The card works where nobody lies: what the cases see is not a card that does nothing.
template <typename Driver> Verdict works(std::uint64_t, std::uint64_t) {
    auto card = driver<Driver>(lying_memory, {});
    auto other = driver<typename Other<Driver>::Type>(honest_memory, {});
    if (!start(card) || !start(other) || !send(card, patience) || receive(other) == 0 ||
        !send(other, patience) || receive(card) == 0)
        return Verdict::exception;
    return Verdict::harmless;
}

bool has_root() {
    return guest::boot_page().root_bytes != 0;
}
bool has_link() {
    return guest::boot_page().link_count != 0;
}

constexpr Expected refused_dma{Verdict::contained, Audit::dma};
using guest::E1000e, guest::Igb, guest::VirtioNet;

constexpr std::array cases{
    Case{"e1000e-works", Verdict::harmless, works<E1000e>},
    Case{"e1000e-receives-behind-memory", refused_dma, behind_memory<E1000e, receives<E1000e>>, 0},
    Case{"e1000e-receives-in-root-image", refused_dma, receives_in_root<E1000e>, 0, 0, has_root},
    Case{"e1000e-receives-in-own-lane", refused_dma, receives_in_lane<E1000e>, 1, 0, has_link},
    Case{"e1000e-receives-in-what-is-read", refused_dma, receives_in_lane<E1000e>, 0, 0, has_link},
    Case{"e1000e-receives-in-registers", refused_dma, receives_in_registers<E1000e>},
    Case{"e1000e-receives-at-the-iommu", refused_dma, receives<E1000e>, 0xfed90000},
    Case{"e1000e-receives-beyond-48-bits", refused_dma, receives<E1000e>, std::uint64_t{1} << 48},
    Case{"e1000e-sends-from-behind-memory", refused_dma, behind_memory<E1000e, sends<E1000e>>, 0},
    Case{"e1000e-sends-own-lane", refused_dma, sends_lane<E1000e>, 0, 0, has_link},
    Case{"e1000e-sends-from-firmware", refused_dma, sends<E1000e>, reset_vector},
    Case{"e1000e-rings-behind-memory", refused_dma, behind_memory<E1000e, rings<E1000e>>, 0},
    Case{"e1000e-rings-at-the-iommu", refused_dma, rings<E1000e>, 0xfed90000},
    Case{"e1000e-message-of-another", refused_dma, message_of_another<E1000e>},
    Case{"igb-works", Verdict::harmless, works<Igb>},
    Case{"igb-receives-behind-memory", refused_dma, behind_memory<Igb, receives<Igb>>, 0},
    Case{"igb-receives-in-own-lane", refused_dma, receives_in_lane<Igb>, 1, 0, has_link},
    Case{"igb-receives-in-what-is-read", refused_dma, receives_in_lane<Igb>, 0, 0, has_link},
    Case{"igb-receives-at-4-gib", refused_dma, receives<Igb>, behind_4_gib},
    Case{"igb-sends-from-behind-memory", refused_dma, behind_memory<Igb, sends<Igb>>, 0},
    Case{"igb-sends-from-firmware", refused_dma, sends<Igb>, reset_vector},
    Case{"igb-rings-behind-memory", refused_dma, behind_memory<Igb, rings<Igb>>, 0x4000000},
    Case{"igb-message-of-another", refused_dma, message_of_another<Igb>},
    Case{"virtio-works", Verdict::harmless, works<VirtioNet>},
    Case{"virtio-receives-behind-memory", refused_dma, behind_memory<VirtioNet, receives<VirtioNet>>, 0},
    Case{"virtio-receives-in-own-lane", refused_dma, receives_in_lane<VirtioNet>, 1, 0, has_link},
    Case{"virtio-sends-from-behind-memory", refused_dma, behind_memory<VirtioNet, sends<VirtioNet>>, 0},
    Case{"virtio-sends-from-firmware", refused_dma, sends<VirtioNet>, reset_vector},
    Case{"virtio-rings-behind-memory", refused_dma, behind_memory<VirtioNet, rings<VirtioNet>>, 0},
    Case{"virtio-rings-at-the-iommu", refused_dma, rings<VirtioNet>, 0xfed90000},
};

} // namespace

std::span<const Case> card_cases() {
    return find<E1000e>() != nullptr && find<Igb>() != nullptr && find<VirtioNet>() != nullptr
               ? std::span<const Case>{cases}
               : std::span<const Case>{};
}

} // namespace attack
