// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/format.hpp - the plan as a binary table (the bundle's `table` section).
//
// Who owns what, as sizes, counts and guest-physical layouts; host frames and APIC IDs are chosen by bind()
// at boot (docs/architecture.md, "Plan and binding"). Written by core/plan layout(), read by core/plan
// parse(): nothing else builds or interprets these bytes. Little-endian, no pointers, offsets from the
// table's start.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace plan {

inline constexpr std::uint32_t magic = 0x4E4C5043; // "CPLN"
inline constexpr std::uint32_t format_version = 1;
inline constexpr std::uint32_t max_partitions = 64;
inline constexpr std::uint32_t max_cpus = 64; // ranks in one plan
inline constexpr std::uint32_t max_regions = 6;
inline constexpr std::uint32_t no_section = 0xFFFFFFFF;

enum class AllStopped : std::uint32_t { poweroff = 0, reboot = 1, halt = 2 };
enum class PayloadKind : std::uint32_t { unikernel = 0, pvh = 1 }; // pvh: the user's own kernel
enum class Restart : std::uint32_t { no = 0, always = 1, on_failure = 2 };
enum class RegionKind : std::uint32_t {
    ram = 1,       // read, write, execute; backed by frames of the partition
    root_image = 2 // read, execute; the root section, in place or placed once
};

inline constexpr std::uint32_t flag_console_serial = 1;

struct Header {
    std::uint32_t magic;
    std::uint32_t format;
    std::uint32_t total_size; // of the table with strings and startup records
    std::uint32_t partition_count;
    std::uint32_t partition_entsize; // sizeof(Partition)
    std::uint32_t on_all_stopped;    // AllStopped
    std::uint32_t machine_cpus;      // what the manifest asks of the machine; 0: not said
    std::uint32_t flags;             // 0
    std::uint64_t machine_memory;    // bytes; 0: not said
    std::array<char, 32> name;
    std::array<std::uint8_t, 32> audit_key; // X25519, to which the audit log's first key is sealed; zeros: none
    std::array<std::uint8_t, 24> reserved;
};
static_assert(sizeof(Header) == 128);

struct Region {
    std::uint64_t gpa;   // page aligned
    std::uint64_t bytes; // multiple of the page size
    std::uint32_t kind;  // RegionKind
    std::uint32_t reserved;
};
static_assert(sizeof(Region) == 24);

struct Partition {
    std::array<char, 32> name; // [a-z0-9-]{1,31}, NUL-padded
    std::uint32_t payload;     // PayloadKind
    std::uint32_t flags;       // flag_...
    std::uint32_t cpu_count;   // 1..
    std::uint32_t restart;     // Restart
    std::uint32_t restart_max; // on_failure: attempts, 0 = no limit
    std::uint32_t region_count;
    std::uint64_t cpu_set;                                 // ranks (bit 0 = boot CPU) or 0: bind chooses
    std::uint64_t memory_bytes;                            // RAM: the sum of the ram regions
    std::array<Region, max_regions> regions;               // ascending by gpa, no overlap
    std::uint32_t kernel_section;                          // index in the bundle's section list
    std::uint32_t root_section;                            // or no_section
    std::uint32_t module_section;                          // or no_section
    std::uint32_t command_line_offset, command_line_bytes; // without a NUL; 0 bytes: none
    std::uint32_t startup_offset, startup_bytes;           // struct caisson_startup; 0 bytes: none
    std::uint32_t reserved0;
    std::array<std::uint8_t, 40> reserved;
};
static_assert(sizeof(Partition) == 288);

} // namespace plan
