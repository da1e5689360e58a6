// SPDX-License-Identifier: Apache-2.0
// partitions/drivers/net/memory.hpp - the memory that a network card and its driver share, as a seam, and the messages of its interrupts.
//
// Whatever lies there is the device's word, and may be another the next time: a field is loaded once.
// Spec: PCI Express 5.0 section 7.7.2 "MSI-X Capability and Table Structure".
#pragma once

#include "drivers/seams.hpp"

#include <cstddef>
#include <span>

namespace drivers::net {

template <typename T>
concept DmaMemory = requires(const T memory, std::uint32_t at, std::uint32_t count, std::uint64_t q) {
    { memory.address() } -> std::same_as<std::uint64_t>; // of its first byte, as the device is told
    { memory.load64(at) } -> std::same_as<std::uint64_t>;
    memory.store64(at, q);
    { memory.bytes(at, count) } -> std::same_as<std::span<std::byte>>; // to be copied, not to be looked at
};

// Whether what a driver does to its memory is in the order of the program, for the device and the other way round. Loads, and
// stores to write-back memory before those to registers, are in order on x86: what remains is the compiler.
inline void in_order() {
    asm volatile("" : : : "memory");
}

// What was stored is stored before what is loaded next: the one order that x86 does not keep by itself.
inline void fence() {
    asm volatile("mfence" : : : "memory");
}

struct Counters {
    std::uint64_t received = 0, received_bytes = 0, sent = 0, sent_bytes = 0;
    std::uint64_t errors = 0; // frames that the device found bad
    std::uint64_t lies = 0;   // descriptors that no device writes which works
    std::uint64_t no_place = 0;
};

// A frame in the shared memory goes, once, to where place(bytes) says; came() follows.
template <typename Place, typename Came>
void take_frame(std::span<const std::byte> frame, Counters& counters, Place& place, Came& came) {
    const std::span<std::byte> to = place(static_cast<std::uint32_t>(frame.size()));
    if (to.size() != frame.size()) {
        ++counters.no_place;
        return;
    }
    __builtin_memcpy(to.data(), frame.data(), to.size());
    in_order(); // nothing is loaded from there once more
    ++counters.received;
    counters.received_bytes += to.size();
    came();
}

// Entry `entry` of a table of MSI-X that begins at `table` in `registers` is told address and data, and let through.
template <Mmio Registers>
void set_message(const Registers& registers, std::uint32_t table, std::uint32_t entry, std::uint64_t address,
                 std::uint32_t data) {
    constexpr std::uint32_t entry_bytes = 16, masked = 1;
    const std::uint32_t at = table + entry * entry_bytes;
    registers.write32(at + 12, masked);
    registers.write32(at, static_cast<std::uint32_t>(address));
    registers.write32(at + 4, static_cast<std::uint32_t>(address >> 32));
    registers.write32(at + 8, data);
    registers.write32(at + 12, 0);
}

} // namespace drivers::net
