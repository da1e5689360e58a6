// SPDX-License-Identifier: Apache-2.0
// image-tools/disk/medium.hpp - finds the UEFI application and the bundle in what `build -o x.efi|x.img|x.iso` wrote.
//
// Trust:  the file is hostile: every number is checked against what is there, every walk has a bound.
// Errors: E0424 (it begins as a medium and is none that caisson wrote; the message has the place).
// Spec:   the formats of pe.hpp, gpt.hpp, fat32.hpp and iso.hpp.
#pragma once

#include "image-tools/disk/gpt.hpp"
#include "image-tools/files/range.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace disk {

enum class MediumKind : std::uint8_t { application, disk, cd };

struct Medium {
    MediumKind kind{};
    files::FileRange application; // the PE file
    files::FileRange bundle;
    // Of a disk: its system partition, and what its table says.
    files::FileRange partition;
    DiskLayout layout;
};

// The medium that the file is, or nothing where it does not even begin as one. Throws E0424, E0601.
std::optional<Medium> open_medium(const files::FileRange& file);

// The bytes of its application, which has a section .caisson. Throws E0601.
std::string read_application(const Medium& medium);

// The file of that path ("EFI/BOOT/BOOTX64.EFI", letters of either case) on a FAT32 volume; nothing where it is not there.
// Throws E0424 also where it does not lie in one piece, as this tool leaves it.
std::optional<files::FileRange> find_file(const files::FileRange& volume, const std::string& path);

} // namespace disk
