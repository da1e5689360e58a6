// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/fat32.hpp - a FAT32 volume with a few files, each in one piece.
//
// Invariants: the same files and numbers give the same bytes; times are the format's first, 1980-01-01.
// Spec:       Microsoft, "FAT: General Overview of On-Disk Format" 1.03; UEFI 2.10 section 13.3.
#pragma once

#include "image-tools/disk/piece.hpp"

namespace disk {

struct FatFile {
    std::vector<std::string> path; // "EFI", "BOOT", "BOOTX64.EFI": ASCII
    std::uint64_t bytes = 0;       // at most 4 GiB - 1
};

struct FatVolume {
    std::uint64_t bytes = 0;
    std::vector<Piece> pieces;         // boot sectors, tables, folders
    std::vector<std::uint64_t> places; // where each file's bytes go, in the order of the files
};

// A volume of at least `least_bytes` that holds the files and `spare_bytes` more. `hidden_sectors` lie before it on the disk.
FatVolume fat32_volume(const std::vector<FatFile>& files, std::uint64_t spare_bytes, std::uint32_t serial,
                       std::uint32_t hidden_sectors);

} // namespace disk
