// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/sparse.hpp - how a sparse file is cut into chunks.
//
// Small chunks make a long map, large ones store zeros around each extent: the size with the least sum is
// taken.
#pragma once

#include "image-tools/oci/tar_reader.hpp"
#include "image-tools/rootfs/tree.hpp"

#include <span>

namespace rootfs {

struct SparsePlan {
    std::uint8_t chunk_bits = 0;
    std::uint64_t bytes = 0; // map and stored chunks
};

// Extents ascend within size.
SparsePlan plan_sparse(std::uint64_t size, std::span<const oci::TarExtent> extents);
// Chunks with data are marked by block 0, the caller places them; the others are holes.
ChunkMap chunk_map_for(std::uint64_t size, std::span<const oci::TarExtent> extents, std::uint8_t chunk_bits);

} // namespace rootfs
