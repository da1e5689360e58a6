// SPDX-License-Identifier: Apache-2.0
// loader/handover/boot_record.hpp - what the hypervisor learns from whoever started it, by whichever protocol.
//
// Trust:      firmware data. Ranges are checked for wrap-around only; what may be used is decided in core/memory.
// Invariants: with no_module all but the module is read; complete when read: nothing of it points into memory that firmware may see reused, but the module.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/bytes/source.hpp"
#include "hypervisor/core/memory/runs.hpp"
#include "hypervisor/core/screen/fit.hpp"

namespace loader {

struct Range {
    std::uint64_t base = 0, bytes = 0;
};

using Screen = screen::FrameBuffer;

struct BootRecord {
    base::FixedVector<memory::Range, memory::max_firmware_entries> memory; // as given, not yet orderly
    Range module;                                                          // the bundle
    std::uint64_t rsdp = 0; // physical address, or 0 where the firmware gave a copy
    std::array<std::byte, 36> rsdp_copy{};
    bool rsdp_copied = false;
    Screen screen;
    bool screen_is_black = false;
    std::uint64_t smbios = 0;         // the entry point structure, or 0
    std::uint64_t loader_started = 0; // TSC when Caisson's loader began, or 0
};

// An entry of the memory map, in both protocols alike.
struct MapEntry {
    std::uint64_t base, bytes;
    std::uint32_t type, reserved;
};

enum class BootError {
    unknown_protocol, // nothing that we know started us
    bad_structure,    // a length, count or address of the protocol's structures is wrong
    no_memory_map,
    too_many_entries,
    no_module,        // the bundle is missing
    too_many_modules, // more than the one bundle
    bad_module,       // empty, wrapping or not reachable
};

[[nodiscard]] constexpr const char* describe(BootError error) {
    constexpr std::array texts{"not started by PVH, Multiboot2 or UEFI",
                               "the boot protocol's structures are damaged",
                               "the firmware gave no memory map",
                               "the memory map has too many entries",
                               "no bundle: give it as the one module (-initrd FILE, or module2 in GRUB)",
                               "more than one module: the bundle is the only one",
                               "the module's place in memory is not usable"};
    return texts[static_cast<std::size_t>(error)];
}

// The start record of the PVH boot protocol; `memory` is all physical memory, as far as it can be seen.
// Spec: Xen public/arch-x86/hvm/start_info.h, versions 0 and 1 (a memory map needs 1).
[[nodiscard]] base::Status<BootError> read_pvh(const bytes::Source& memory, std::uint64_t start_info,
                                               BootRecord& record);

// The boot information of Multiboot2, from GRUB on BIOS or UEFI.
// Spec: Multiboot2 specification 2.0 section 3.6; the EFI memory map: UEFI 2.10 section 7.2.3.
[[nodiscard]] base::Status<BootError> read_multiboot2(const bytes::Source& memory, std::uint64_t information,
                                                      BootRecord& record);

// What the UEFI loader of this build left (loader/uefi/handover.hpp): its own values and the firmware's memory map.
// Spec: UEFI 2.10 section 7.2.3; descriptors have the size that the firmware says.
[[nodiscard]] base::Status<BootError> read_uefi(const bytes::Source& memory, std::uint64_t handover,
                                                BootRecord& record);

} // namespace loader
