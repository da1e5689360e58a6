// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/header.hpp - what of the plan's table (format.hpp) only its reader looks at: its header, its
// wires and devices, limits.
#pragma once

#include "hypervisor/core/plan/format.hpp"

namespace plan {

inline constexpr std::uint32_t magic = 0x4E4C5043; // "CPLN"
inline constexpr std::uint32_t format_version = 8;
inline constexpr std::uint64_t gpa_limit = std::uint64_t{1} << 40;

struct Header {
    std::uint32_t magic;
    std::uint32_t format;
    std::uint32_t total_size; // of the whole table
    std::uint32_t partition_count;
    std::uint32_t partition_entsize; // sizeof(Partition)
    std::uint32_t machine_cpus;      // what the manifest asks of the machine; 0: not said
    std::uint32_t load_count;
    std::uint32_t wire_count;
    std::uint64_t machine_memory; // bytes; 0: not said
    std::array<char, 32> name;
    std::array<std::uint8_t, 32> audit_key; // X25519: the audit log's first key is sealed to it; zeros: none
    MachineBehaviour behaviour;
    std::uint32_t device_count;
    std::array<std::uint8_t, 4> reserved;
};
static_assert(sizeof(Header) == 128);

// One or two lanes between two partitions: memory that one of them writes and the other reads, nobody else either. The first
// lane is written by the first partition; the second, which a one-way wire does not have, by the second. Both partitions see
// their lanes one behind the other, from gpa on.
inline constexpr std::uint32_t wire_one_way = 1;
struct Wire {
    std::array<std::uint32_t, 2> partitions; // two different ones
    std::uint32_t flags;                     // wire_...
    std::uint32_t reserved;
    std::uint64_t lane_bytes;         // a page and a ring whose size is a power of two (abi/lane.h)
    std::array<std::uint64_t, 2> gpa; // as the first and as the second partition see it

    [[nodiscard]] constexpr std::uint32_t lanes() const { return (flags & wire_one_way) != 0 ? 1 : 2; }
    [[nodiscard]] constexpr std::uint64_t bytes() const { return lanes() * lane_bytes; }
    // Which end the partition is: 0 or 1; 2: neither.
    [[nodiscard]] constexpr std::uint32_t end_of(std::uint32_t partition) const {
        return partition == partitions[0] ? 0 : partition == partitions[1] ? 1 : 2;
    }
};
static_assert(sizeof(Wire) == 40);

// A PCI function that a partition owns, by what bind() finds it: the place-th with these ids in the order of addresses, or
// the one at an address, or the place-th network card that containers have a driver for.
inline constexpr std::uint32_t device_by_address = 1;
inline constexpr std::uint32_t device_keeps_firmware_memory =
    2; // may keep the memory that firmware reserves for it (RMRR)
inline constexpr std::uint32_t device_any_card = 4;
inline constexpr std::uint32_t all_device_flags =
    device_by_address | device_keeps_firmware_memory | device_any_card;
struct Device {
    std::uint32_t partition;
    std::uint16_t vendor, device; // by address, any card: 0
    std::uint32_t place;          // by address: bus, device, function as in a requester ID
    std::uint32_t flags;          // device_...
};
static_assert(sizeof(Device) == 16);

} // namespace plan
