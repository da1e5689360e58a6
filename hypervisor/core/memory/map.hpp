// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/map.hpp - the firmware's memory map, made orderly.
//
// Pure. Trust: entries come from firmware or a boot loader and may be unsorted, overlapping, empty or absurd.
// Invariants: ranges are ascending, disjoint, page aligned, never empty, neighbours differ in kind; where
// entries
//             overlap the most restrictive kind wins; what no entry covers is a hole and in no range; usable
//             memory is rounded inwards to pages, everything else outwards.
// Spec: ACPI "System Address Map Interfaces"; Multiboot2 "Memory map"; UEFI "GetMemoryMap()".
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"

#include <cstdint>
#include <span>

namespace memory {

// From least to most restrictive.
enum class Kind : std::uint8_t {
    usable,
    acpi_reclaimable, // tables; could be used after they are read, we never do
    reserved,
    acpi_nvs,
    firmware_runtime, // EFI runtime code and data
    unusable,         // reported bad
};

struct Range {
    std::uint64_t base;
    std::uint64_t bytes;
    Kind kind;
    [[nodiscard]] constexpr std::uint64_t end() const { return base + bytes; }
};

inline constexpr std::size_t max_firmware_entries = 256;
inline constexpr std::size_t max_ranges = 256;
inline constexpr std::uint64_t address_limit = std::uint64_t{1}
                                               << 52; // x86: no physical address at or above it

using Map = base::FixedVector<Range, max_ranges>;

enum class Error : std::uint8_t {
    too_many_entries,
    too_many_ranges,
    no_usable_memory,
    // pool and ledger
    sealed,
    overlap,    // somebody owns a part of it
    not_usable, // not (all) usable memory
    out_of_frames,
    too_many_grants,
    misaligned,
};

// E820 and PVH memory map types (Multiboot2 uses the same numbers).
[[nodiscard]] Kind kind_of_e820(std::uint32_t type);
// EFI memory descriptor type; boot services memory counts as usable (boot services are over).
[[nodiscard]] Kind kind_of_efi(std::uint32_t type, std::uint64_t attributes);

// `entries` need not be aligned, sorted or disjoint; one that wraps or passes address_limit is cut there.
// On an error `map` is empty.
[[nodiscard]] base::Status<Error> normalize(std::span<const Range> entries, Map& map);

[[nodiscard]] std::uint64_t usable_bytes(const Map& map);
// Whether [base, base + bytes) is usable memory throughout.
[[nodiscard]] bool is_usable(const Map& map, std::uint64_t base, std::uint64_t bytes);

[[nodiscard]] const char* describe(Error error);
[[nodiscard]] const char* describe(Kind kind);

} // namespace memory
