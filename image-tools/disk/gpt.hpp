// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/gpt.hpp - a disk with an EFI system partition, and with room for data where that is asked for.
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

// What lies on a disk, by its table.
struct DiskLayout {
    std::uint64_t system_bytes =
        0; // of the system partition, from first_partition_at on: a multiple of the sector
    std::uint64_t data_bytes = 0; // of the data partition, in whole MiB; 0: there is none
    Guid disk{}, system{}, data{};

    [[nodiscard]] std::uint64_t data_at() const; // the first whole MiB after the system partition
    [[nodiscard]] std::uint64_t end() const;     // the first byte that belongs to no partition
};

struct GptDisk {
    std::uint64_t bytes = 0;
    std::vector<Piece> pieces; // the table comes last: without it the disk is none
};
// `disk_bytes` is the disk's length, at least least_disk(); without it the disk is no longer than it must be.
GptDisk gpt_disk(const DiskLayout& layout, std::uint64_t disk_bytes = 0);
std::uint64_t least_disk(const DiskLayout& layout); // in whole MiB

// CRC-32 as in zip and Ethernet.
std::uint32_t crc32(std::string_view bytes);

} // namespace disk
