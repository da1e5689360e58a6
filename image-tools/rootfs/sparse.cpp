// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/sparse.hpp"

#include <algorithm>

namespace rootfs {

namespace {

constexpr unsigned largest_chunk_bits = 18; // 1 GiB
constexpr unsigned block_bits = 12;

std::uint64_t chunks_of(std::uint64_t size, unsigned bits) {
    return (size + (block_size << bits) - 1) >> (bits + block_bits);
}

// Calls see(first, last) for each run of chunks that an extent touches, each chunk once.
template <typename See> void for_each_run(std::span<const oci::TarExtent> extents, unsigned bits, See see) {
    std::uint64_t next = 0; // chunks below it were seen
    for (const oci::TarExtent& extent : extents) {
        if (extent.bytes == 0) {
            continue;
        }
        const std::uint64_t first = std::max(next, extent.offset >> (bits + block_bits));
        const std::uint64_t last = (extent.offset + extent.bytes - 1) >> (bits + block_bits);
        if (first <= last) {
            see(first, last);
            next = last + 1;
        }
    }
}

} // namespace

SparsePlan plan_sparse(std::uint64_t size, std::span<const oci::TarExtent> extents) {
    SparsePlan best{0, UINT64_MAX};
    for (unsigned bits = 0; bits <= largest_chunk_bits; ++bits) {
        std::uint64_t bytes = 4 * chunks_of(size, bits);
        for_each_run(extents, bits, [&](std::uint64_t first, std::uint64_t last) {
            const std::uint64_t begin = first << (bits + block_bits);
            bytes += std::min((last - first + 1) << (bits + block_bits), size + block_size - begin);
        });
        if (bytes < best.bytes) {
            best = {static_cast<std::uint8_t>(bits), bytes};
        }
    }
    return best;
}

ChunkMap chunk_map_for(std::uint64_t size, std::span<const oci::TarExtent> extents, std::uint8_t chunk_bits) {
    ChunkMap map;
    map.chunk_bits = chunk_bits;
    map.chunks.assign(static_cast<std::size_t>(chunks_of(size, chunk_bits)), ChunkMap::hole);
    for_each_run(extents, chunk_bits, [&](std::uint64_t first, std::uint64_t last) {
        const auto begin = map.chunks.begin();
        std::fill(begin + static_cast<std::ptrdiff_t>(first), begin + static_cast<std::ptrdiff_t>(last) + 1,
                  0);
    });
    return map;
}

} // namespace rootfs
