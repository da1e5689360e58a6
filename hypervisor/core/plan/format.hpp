// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/format.hpp - the plan as a binary table (the bundle's `table` section).
//
// Who owns what, as sizes, counts and guest-physical layouts; host frames and APIC IDs are chosen by bind()
// at boot (docs/architecture.md, "Plan and binding"). Written by image-tools/plan layout(), read by core/plan
// parse(): nothing else builds or interprets these bytes. Little-endian, no pointers. The header, the partition records,
// the loads of all partitions in order, then the bytes of those loads that lie in the table itself, each from a multiple
// of 8 on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace plan {

inline constexpr std::uint32_t magic = 0x4E4C5043; // "CPLN"
inline constexpr std::uint32_t format_version = 2;
inline constexpr std::uint32_t max_partitions = 64;
inline constexpr std::uint32_t max_cpus = 64;         // ranks in one plan
inline constexpr std::uint32_t max_regions = 3;       // RAM below and above 4 GiB, root image
inline constexpr std::uint32_t no_index = 0xFFFFFFFF; // no partition, no section
inline constexpr std::uint32_t max_loads = 24;
inline constexpr std::uint32_t no_section = 0xFFFFFFFF;
inline constexpr std::uint64_t gpa_limit = std::uint64_t{1} << 40;

enum class AllStopped : std::uint32_t { poweroff = 0, reboot = 1, halt = 2 };
enum class OnPanic : std::uint32_t { halt = 0, reboot = 1, poweroff = 2 };
enum class PayloadKind : std::uint32_t { unikernel = 0, pvh = 1 }; // pvh: the user's own kernel
enum class Restart : std::uint32_t { no = 0, always = 1, on_failure = 2 };
enum class RegionKind : std::uint32_t {
    ram = 1,       // read, write, execute; backed by frames of the partition
    root_image = 2 // read, execute; the root section, in place or placed once
};

inline constexpr std::uint32_t flag_console_serial = 1;
inline constexpr std::uint32_t flag_smt_shared = 2; // may have a core together with others that say so too
inline constexpr std::uint32_t flag_no_store_bypass = 4; // SPEC_CTRL.SSBD while it runs
inline constexpr std::uint32_t all_flags = flag_console_serial | flag_smt_shared | flag_no_store_bypass;
inline constexpr std::uint32_t max_restart_delay_ms = 60'000;
inline constexpr std::uint32_t min_watchdog_ms = 100, max_watchdog_ms = 3'600'000;

struct Header {
    std::uint32_t magic;
    std::uint32_t format;
    std::uint32_t total_size; // of the whole table
    std::uint32_t partition_count;
    std::uint32_t partition_entsize; // sizeof(Partition)
    AllStopped on_all_stopped;
    std::uint32_t machine_cpus; // what the manifest asks of the machine; 0: not said
    std::uint32_t load_count;
    std::uint64_t machine_memory; // bytes; 0: not said
    std::array<char, 32> name;
    std::array<std::uint8_t, 32> audit_key; // X25519: the audit log's first key is sealed to it; zeros: none
    OnPanic on_panic;
    std::array<std::uint8_t, 20> reserved;
};
static_assert(sizeof(Header) == 128);

struct Region {
    std::uint64_t gpa;   // page aligned
    std::uint64_t bytes; // multiple of the page size
    RegionKind kind;
    std::uint32_t reserved;
};
static_assert(sizeof(Region) == 24);

// What a partition finds in its memory when it starts, besides zeros.
struct Load {
    std::uint64_t gpa; // all of it in one RAM region
    std::uint64_t bytes;
    std::uint64_t offset;  // in the section, or in this table
    std::uint32_t section; // index in the bundle's section list; no_section: this table
    std::uint32_t reserved;
};
static_assert(sizeof(Load) == 32);

struct Partition {
    std::array<char, 32> name; // [a-z0-9-]{1,31}, NUL-padded
    PayloadKind payload;
    std::uint32_t flags;     // flag_...
    std::uint32_t cpu_count; // 1..
    Restart restart;
    std::uint32_t restart_max; // on_failure: attempts, 0 = no limit
    std::uint32_t region_count;
    std::uint64_t cpu_set;                   // ranks (bit 0 = boot CPU) or 0: bind chooses
    std::uint64_t memory_bytes;              // RAM: the sum of the ram regions
    std::array<Region, max_regions> regions; // ascending by gpa, no overlap
    std::uint32_t root_section;              // index in the bundle's section list, or no_section
    std::uint32_t entry;                     // 32-bit PVH entry point
    std::uint32_t first_load, load_count;    // of the plan's loads
    std::array<std::uint32_t, 4> reserved0;
    std::uint32_t restart_delay_ms; // before the first restart; doubles (core/vcpu/lifecycle.hpp); 0: none
    std::uint32_t watchdog_ms;      // at least one heartbeat in each so many; 0: none is expected
    std::array<std::uint8_t, 32> reserved;
};
static_assert(sizeof(Partition) == 216);

} // namespace plan
