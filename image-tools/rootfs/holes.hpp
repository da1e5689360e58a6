// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/holes.hpp - a file's contents on their way to the spool: long runs of zeros become holes.
//
// No build tool writes sparse tars (moby#5419), so a preallocated file or lastlog comes as zeros. A hole is made of
// whole units of 64 KiB that are zero, counted from the file's start; the file's end belongs to a hole that reaches it.
// Never in ELF files: their pages are mapped as they lie.
#pragma once

#include "image-tools/rootfs/spool.hpp"
#include "image-tools/rootfs/tree.hpp"

#include <cstdint>
#include <span>
#include <vector>

namespace rootfs {

inline constexpr std::uint64_t hole_unit = std::uint64_t{64} << 10;

class HoleWriter {
public:
    explicit HoleWriter(Spool& spool) : spool_(spool), first_block_(spool.next_block()) {}

    void write(std::span<const std::uint8_t> data);
    // Aligns the spool and fills in where the contents lie; inode.size is what was written.
    void finish(Inode& inode);

private:
    // Units with data, one after the other in the spool.
    struct Extent {
        std::uint64_t first = 0;
        std::uint64_t units = 0;
    };

    void write_in_unit(std::span<const std::uint8_t> data);
    void store(std::span<const std::uint8_t> data);
    void end_unit();

    Spool& spool_;
    std::uint32_t first_block_;
    std::uint64_t at_ = 0;       // in the file
    std::uint64_t zeros_ = 0;    // of this unit, not stored while nothing else is in it
    bool has_data_ = false;      // this unit
    bool last_was_hole_ = false; // the unit before
    unsigned elf_bytes_ = 0;     // of the file's start that are an ELF's
    std::vector<Extent> extents_;
};

} // namespace rootfs
