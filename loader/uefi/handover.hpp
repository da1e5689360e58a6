// SPDX-License-Identifier: Apache-2.0
// loader/uefi/handover.hpp - what the UEFI loader leaves in memory for the image that it starts: both are of one build.
#pragma once

#include "loader/handover/boot_record.hpp"

namespace loader::uefi {

inline constexpr std::uint64_t handover_magic = 0x3149'4645'4e53'4943; // "CISNEFI1"

// Physical addresses. `map` is what GetMemoryMap() gave last.
struct Handover {
    std::uint64_t magic = handover_magic;
    std::uint64_t map = 0, map_bytes = 0, descriptor_bytes = 0;
    std::uint64_t bundle = 0, bundle_bytes = 0;
    std::uint64_t rsdp = 0, smbios = 0;
    Screen screen;
    std::uint64_t screen_is_black = 0; // firmware has cleared it
    std::uint64_t started = 0;         // TSC when the loader began
};
static_assert(sizeof(Handover) == 112);

} // namespace loader::uefi
