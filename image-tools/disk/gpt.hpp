// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/gpt.hpp - a disk with one EFI system partition.
//
// Spec: UEFI 2.10 chapter 5.
#pragma once

#include "image-tools/disk/piece.hpp"

#include <array>
#include <span>
#include <string_view>

namespace disk {

using Guid = std::array<std::uint8_t, 16>;

// One that always belongs to `id` and `purpose` (RFC 9562, version 8).
Guid guid_of(std::span<const std::uint8_t> id, std::string_view purpose);

inline constexpr std::uint64_t first_partition_at = 1u << 20;

struct GptDisk {
    std::uint64_t bytes = 0;
    std::vector<Piece> pieces; // the table comes last: without it the disk is none
};
// The partition has `partition_bytes`, a multiple of the sector, from first_partition_at on. `disk_bytes` is the disk's length, at
// least least_disk(); without it the disk is no longer than it must be.
GptDisk gpt_disk(std::uint64_t partition_bytes, const Guid& disk_guid, const Guid& partition_guid,
                 std::uint64_t disk_bytes = 0);
std::uint64_t least_disk(std::uint64_t partition_bytes); // in whole MiB

// CRC-32 as in zip and Ethernet.
std::uint32_t crc32(std::string_view bytes);

} // namespace disk
