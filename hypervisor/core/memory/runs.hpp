// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/runs.hpp - sets of page frames, and the firmware's memory map as one of
// them.
//
// Pure.
// Trust:      entries come from firmware or a boot loader and may be unsorted, overlapping, empty
//             or absurd.
// Invariants: runs are ascending, disjoint, page aligned, below address_limit, never empty and
//             never touch; of the firmware's map only what some entry calls usable and no entry
//             calls anything else is in the set (usable memory is rounded inwards to pages,
//             everything else outwards; holes are in no set).
// Spec:       ACPI "System Address Map Interfaces"; Multiboot2 "Memory map"; UEFI "GetMemoryMap()".
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/memory/run.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace memory {

// No x86 physical address at or above it.
inline constexpr std::uint64_t address_limit = std::uint64_t{1} << 52;

class Runs {
public:
    static constexpr std::size_t capacity = 320;

    // Ranges that wrap or pass address_limit are cut there. False, and nothing changed, when there are too many runs.
    [[nodiscard]] bool add(std::uint64_t base, std::uint64_t bytes);    // what of it is whole pages
    [[nodiscard]] bool remove(std::uint64_t base, std::uint64_t bytes); // every page it touches

    [[nodiscard]] bool contains(std::uint64_t base, std::uint64_t bytes) const;
    // The lowest `bytes` (> 0) in one piece at a multiple of `alignment` (a power of two >= 4096), at or above `from`.
    [[nodiscard]] std::optional<Run> find(std::uint64_t bytes, std::uint64_t alignment,
                                          std::uint64_t from = 0) const;
    // The longest piece with that alignment of base and length (the lowest of several).
    [[nodiscard]] std::optional<Run> longest(std::uint64_t alignment) const;
    [[nodiscard]] std::uint64_t bytes() const;
    [[nodiscard]] std::span<const Run> view() const { return runs_.view(); }
    void clear() { runs_.clear(); }

private:
    base::FixedVector<Run, capacity> runs_;
};

enum class Kind : std::uint8_t { usable, reserved };

struct Range { // as firmware says it
    std::uint64_t base;
    std::uint64_t bytes;
    Kind kind;
};
inline constexpr std::size_t max_firmware_entries = 256;

// E820 and PVH memory map types (Multiboot2 uses the same numbers).
constexpr Kind kind_of_e820(std::uint32_t type) {
    return type == 1 ? Kind::usable : Kind::reserved;
}
// EFI memory descriptor: loader's, boot services' (they are over) and conventional memory, if it can be cached and is not
// kept at runtime.
constexpr Kind kind_of_efi(std::uint32_t type, std::uint64_t attributes) {
    constexpr std::uint64_t runtime = std::uint64_t{1} << 63, write_back = 8;
    const bool free = (type >= 1 && type <= 4) || type == 7;
    return free && (attributes & (runtime | write_back)) == write_back ? Kind::usable : Kind::reserved;
}

enum class Error : std::uint8_t { too_many_entries, no_usable_memory };

// On an error `usable` is empty.
[[nodiscard]] base::Status<Error> normalize(std::span<const Range> entries, Runs& usable);
[[nodiscard]] const char* describe(Error error);

} // namespace memory
