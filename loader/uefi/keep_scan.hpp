// SPDX-License-Identifier: Apache-2.0
// loader/uefi/keep_scan.hpp - the loader's part of hypervisor/core/board/kept_scan.hpp: the file on the medium and the memory.
//
// Trust:  firmware's answers are bounded here; a medium that cannot be written (a CD) or a file that is none of ours is left alone.
// Spec:   UEFI 2.10 sections 7.2.3 GetMemoryMap, 8.5.1 ResetSystem, 13.5 EFI_FILE_PROTOCOL.
#pragma once

#include "hypervisor/core/board/kept_scan.hpp"
#include "loader/uefi/firmware.hpp"

namespace loader::uefi {

enum class Keeping {
    none,      // no file to write to: the serial line is the only way
    asked,     // memory is taken, the file says where
    lost,      // the file said where, and no description is there
    delivered, // one was there, and is in the file now
    failed,    // one was there, and the file could not be written
};
struct Kept {
    Keeping what = Keeping::none;
    std::uint64_t address = 0; // of `asked`
};
[[nodiscard]] Kept keep_scan(const SystemTable& system, Handle self);

// What a person should know of it, or nothing.
[[nodiscard]] const char* describe(Keeping what);

} // namespace loader::uefi
