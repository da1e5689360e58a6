// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/fill_holes.hpp - which contents of a root image move where, so that no hole is left and little moves.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

namespace rootfs {

// A content that stays in one piece. `first`: its first block, in the owner's inode; set anew where it moves.
struct Extent {
    std::uint32_t* first;
    std::uint32_t blocks;
};

struct Move { // always to lower blocks
    std::uint32_t from, to, blocks;
};

struct Filling {
    std::vector<Move> moves;                                   // to be done in this order
    std::vector<std::pair<std::uint32_t, std::uint32_t>> left; // holes that stay: first block, blocks
    std::uint32_t end;                                         // the block after the last content
};

// What holes are is what no extent of `live` has between block 1 and `end`. From the last content on, each goes into the smallest
// hole below that takes it, until what is left of the holes below is at most a 512th of all; what fits in none moves down to
// where the untouched part ends. The extents' blocks are those after the moves.
Filling fill_holes(const std::vector<Extent>& live, std::uint32_t end);

} // namespace rootfs
