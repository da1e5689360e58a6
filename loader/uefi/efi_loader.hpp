// SPDX-License-Identifier: Apache-2.0
// loader/uefi/efi_loader.hpp - from a UEFI application to the hypervisor's entry.
//
// Firmware does what it is asked: memory, a file, its lists. Text goes through ConOut while Boot Services are there. What was
// allocated is of types that are free once they are gone; the hypervisor reserves its image and the bundle.
// Trust:      none in what firmware says: it is bounded here and judged by the hypervisor (read_uefi).
// Spec:       UEFI 2.10 sections 2.3.4 (state at entry and handover), 7.4.6 ExitBootServices.
#pragma once

#include "loader/uefi/firmware.hpp"
#include "loader/uefi/handover.hpp"

namespace loader::uefi {

// What the loader asks the processor.
struct Processor {
    bool huge_pages = false;            // 1 GiB: boot then reaches 512 GiB, else 4 GiB
    bool five_levels = false;           // CR4.LA57: the hypervisor cannot leave that mode
    std::uint64_t (*clock)() = nullptr; // TSC
};

enum class Problem {
    none,
    five_levels,
    not_loaded,     // no LoadedImage for our own handle
    damaged_file,   // no hypervisor in it
    no_room,        // for the image
    no_bundle,      // neither in the file nor named by it
    no_file_system, // on the device we were started from
    file_missing,
    file_unreadable, // or empty, or shorter than it said
    no_room_for_bundle,
    no_memory_map,
    boot_services_stay, // ExitBootServices refused again and again; nothing may be called any more
};
[[nodiscard]] const char* describe(Problem problem);

struct Start {
    Problem problem = Problem::none;
    std::uint64_t entry = 0, handover = 0; // physical; Boot Services are gone
};
[[nodiscard]] Start load(const SystemTable& system, Handle self, const Processor& processor);

} // namespace loader::uefi
