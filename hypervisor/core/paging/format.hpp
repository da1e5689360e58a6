// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/format.hpp - entry layouts of tables; those of second stages are beside the table builder.
//
// Pure.
// Spec:       AMD APM vol. 2 5.3, 5.6, 15.25.5 (the nested walk is a user access: U must be 1);
//             Intel SDM vol. 3 28.3.2.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/weakness.hpp"

#include <array>
#include <cstdint>

namespace paging {

enum class Cache : std::uint8_t { write_back, uncached, write_combining };

// Reading is always allowed; these come on top.
struct Access {
    bool write = false;
    bool execute = false;
    Cache cache = Cache::write_back;
    bool operator==(const Access&) const = default;
};
inline constexpr Access read_only{};
inline constexpr Access read_write{.write = true};
inline constexpr Access read_execute{.execute = true};
inline constexpr Access read_write_execute{.write = true, .execute = true};
inline constexpr Access device{.write = true, .cache = Cache::uncached};
inline constexpr Access frame_buffer{.write = true, .cache = Cache::write_combining}; // of our own alone

inline constexpr std::uint64_t address_mask = 0x000FFFFFFFFFF000;
inline constexpr std::uint64_t bit_present = 1u << 0; // in every entry: reading is always allowed
inline constexpr std::uint64_t bit_large = 1u << 7;   // above the last level: a leaf

// One kind of table: the bits of an entry beside the address and what all kinds have in common.
struct Format {
    std::uint64_t table; // of an entry that leads to a table
    std::uint64_t leaf;  // of every leaf; the access adds to it:
    std::uint64_t write = 1u << 1;
    std::uint64_t execute = 0, no_execute = 0;
    std::array<std::uint64_t, 3> cache{}; // by Cache
    bool write_xor_execute = false;

    [[nodiscard]] constexpr bool allows(Access access) const {
        return !(write_xor_execute && access.write && access.execute) || base::weak("code_on_stack");
    }
    [[nodiscard]] constexpr std::uint64_t table_entry(base::PhysAddr address) const {
        return (address.value() & address_mask) | table;
    }
    [[nodiscard]] constexpr std::uint64_t leaf_entry(base::PhysAddr address, unsigned level,
                                                     Access access) const {
        return (address.value() & address_mask) | leaf | (access.write ? write : 0) |
               (access.execute ? execute : no_execute) | cache[static_cast<std::size_t>(access.cache)] |
               (level > 0 ? bit_large : 0);
    }
};

// The x86 layout: present, writable, user (bits 0-2), write-through and cache-disable (3, 4), no-execute (63).
// The hypervisor's own: supervisor, never global, never writable and executable.
inline constexpr Format host{.table = 0b011,
                             .leaf = 0b001,
                             .no_execute = std::uint64_t{1} << 63,
                             .cache = {0, 0b11 << 3, 0b01 << 3}, // entries of cpu::pat_own
                             .write_xor_execute = true};
} // namespace paging
