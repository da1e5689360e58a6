// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/keys.hpp - the trust anchor inside the loader ELF: section `.caisson.keys`.
//
// `caisson build` fills a copy of the ELF; the slot as compiled is empty and an empty slot refuses
// everything. Who protects the ELF itself: docs/threat-model.md (Secure Boot, or nobody).
#pragma once

#include <array>
#include <cstdint>

namespace bundle {

inline constexpr std::array<char, 16> key_table_magic{'C', 'A', 'I', 'S', 'S', 'O', 'N', '-',
                                                      'K', 'E', 'Y', 'S', '-', 'V', '1', 0};
inline constexpr std::uint32_t key_slots = 4;

// Purpose bits. A slot with purpose 0 is empty.
inline constexpr std::uint32_t purpose_bundle = 1; // may sign bundles

// Flags.
inline constexpr std::uint32_t key_development = 1; // made by the tool for this user: say DEVELOPMENT KEY

struct KeySlot {
    std::uint32_t purpose;
    std::uint32_t flags;
    std::uint64_t security_version_floor;    // a bundle below it is refused
    std::array<std::uint8_t, 32> public_key; // Ed25519
    std::array<std::uint8_t, 16> reserved;
};
static_assert(sizeof(KeySlot) == 64);

struct KeyTable {
    std::array<char, 16> magic;
    std::uint32_t count;   // key_slots
    std::uint32_t entsize; // sizeof(KeySlot)
    std::array<std::uint8_t, 40> reserved;
    std::array<KeySlot, key_slots> slots;
};
static_assert(sizeof(KeyTable) == 320);

} // namespace bundle
