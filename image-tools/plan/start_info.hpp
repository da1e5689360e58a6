// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/start_info.hpp - what a PVH payload is handed: hvm_start_info, module list, memory map,
// command line, and Caisson's own boot page.
//
// Pure.
// Spec: Xen public header arch-x86/hvm/start_info.h, version 1; partitions/abi/boot_page.h.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/result.hpp"
#include "partitions/abi/boot_page.h"
#include "partitions/abi/hypercall.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace pvh {

enum class Error : std::uint8_t {
    command_line_too_long,
    too_many_regions,
    bad_region, // not page aligned, empty, overlapping, or RAM that does not start at 0 and reach 1 MiB
};

inline constexpr std::uint32_t start_magic = 0x336EC578;
inline constexpr std::size_t start_info_bytes = 8192;
inline constexpr std::size_t max_command_line = 4095; // without its NUL

struct StartInfo { // struct hvm_start_info, version 1
    std::uint32_t magic, version, flags, module_count;
    std::uint64_t module_list, command_line, rsdp, memory_map;
    std::uint32_t memory_map_entries, reserved;
};
static_assert(sizeof(StartInfo) == 56);
struct ModuleEntry { // struct hvm_modlist_entry
    std::uint64_t address, bytes, command_line, reserved;
};
static_assert(sizeof(ModuleEntry) == 32);
struct MemoryEntry { // struct hvm_memmap_table_entry
    std::uint64_t address, bytes;
    std::uint32_t type, reserved;
};
static_assert(sizeof(MemoryEntry) == 24);

enum class MemoryType : std::uint32_t { ram = 1, reserved = 2, acpi = 3 };

struct GuestRange {
    std::uint64_t gpa = 0, bytes = 0;
};

struct StartInput {
    std::span<const GuestRange> ram;     // ascending, the first one from 0 and at least 1 MiB
    GuestRange root;                     // bytes 0: none
    std::span<const GuestRange> modules; // at most max_modules
    std::string_view command_line;       // without a NUL
    std::uint64_t rsdp = CAISSON_GPA_ACPI;
};
inline constexpr std::size_t max_modules = 4;
inline constexpr std::size_t max_ram = 6;
inline constexpr std::size_t max_memory_entries = max_ram + 4;

// Fills `pages`, which the guest sees at CAISSON_GPA_START_INFO; the payload's EBX is that address.
// An error leaves `pages` as it was.
[[nodiscard]] base::Status<Error> build_start_info(std::span<std::byte, start_info_bytes> pages,
                                                   const StartInput& input);

struct BootPageInput {
    std::uint32_t flags = 0; // CAISSON_BOOT_...
    std::uint32_t partition_id = 0;
    std::uint32_t vcpu_count = 1;
    std::uint64_t memory_bytes = 0;
    GuestRange root;
    std::uint32_t startup_bytes = 0; // 0: no startup record; else it follows the page
    std::uint32_t watchdog_ms = 0;
    std::string_view name;                 // at most 31 bytes are kept
    std::span<const caisson_link> links{}; // at most CAISSON_LINK_MAX
};
// All that is known at build time; the rest is zero.
void build_boot_page(std::span<std::byte, 4096> page, const BootPageInput& input);

} // namespace pvh
