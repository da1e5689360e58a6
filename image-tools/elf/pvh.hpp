// SPDX-License-Identifier: Apache-2.0
// image-tools/elf/pvh.hpp - reads a PVH kernel: what to load where, and the 32-bit entry point.
//
// Pure.
// Trust:      the file is somebody's kernel; verified, but its author is as untrusted as a guest.
// Invariants: every segment lies inside the file and below 4 GiB, segments are sorted by physical
//             address and do not overlap; the entry point lies inside a segment.
// Spec:       System V ABI "Program Loading"; Xen "x86/HVM direct boot ABI (PVH)".
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/base/result.hpp"
#include "hypervisor/core/bytes/source.hpp"

#include <cstdint>

namespace elf {

inline constexpr std::size_t max_segments = 16;
inline constexpr std::size_t max_program_headers = 64;
inline constexpr std::uint64_t max_note_bytes = 64 * 1024;

enum class Error : std::uint8_t {
    not_elf,
    unsupported, // class, byte order, version or machine
    not_executable,
    bad_program_headers, // count, entry size or place
    too_many_segments,
    segment_outside_file,
    segment_above_4gib,
    segments_overlap,
    no_segments,
    bad_note,
    no_pvh_note, // not a PVH kernel
    entry_outside,
    unreadable, // the source gave nothing
};

struct Segment {
    std::uint64_t file_offset;
    std::uint64_t file_size;
    std::uint64_t physical_address;
    std::uint64_t memory_size; // >= file_size, > 0; the rest is zeroed
};

struct PvhKernel {
    base::FixedVector<Segment, max_segments> segments;
    std::uint32_t entry;  // 32-bit protected mode, EBX = start info
    std::uint64_t lowest; // physical extent of all segments
    std::uint64_t end;
    bool is_64;
};

[[nodiscard]] base::Result<PvhKernel, Error> parse_pvh(const bytes::Source& file);

// For people: "is not an ELF file".
[[nodiscard]] const char* describe(Error error);

} // namespace elf
