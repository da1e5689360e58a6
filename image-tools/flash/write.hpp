// SPDX-License-Identifier: Apache-2.0
// image-tools/flash/write.hpp - puts a disk image onto a disk, and compares.
//
// Invariants: a disk that is written only in part holds no partition table, so that nothing boots from it: first and last MiB are
//             zero and on the disk before anything else is written, the table's first sector is written last of all.
#pragma once

#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/disk/medium.hpp"

#include <cstdint>
#include <functional>

namespace flash {

// A disk that is open for writing or reading: the seam between what is written when, and how.
class Disk {
public:
    virtual ~Disk() = default;
    [[nodiscard]] virtual std::uint64_t bytes() const = 0;
    // Both for whole sectors.
    virtual void write(std::uint64_t at, std::span<const std::uint8_t> from) = 0;
    virtual void read(std::uint64_t at, std::span<std::uint8_t> to) = 0;
    // What was written is on the disk, and what is read from now on comes from there.
    virtual void settle() = 0;
};

// The disk or file of that name, alone: E0608 where something else uses it. Past the system's cache (O_DIRECT) where it can be.
enum class Access : std::uint8_t { read, write };
std::unique_ptr<Disk> open_disk(const std::filesystem::path& path, Access access);

// Writes all and reads all back. Throws E0806 (too small), E0602, E0601, E0609.
void write(Disk& disk, const disk::Medium& image, const diagnostic::Progress& progress);

enum class Found : std::uint8_t { complete, incomplete, different };
// What is on the disk, beside the image. `incomplete`: a write that was not finished.
struct Comparison {
    Found found = Found::complete;
    std::uint64_t first_difference = 0; // of `different`
};
Comparison compare(Disk& disk, const disk::Medium& image, const diagnostic::Progress& progress);

} // namespace flash
