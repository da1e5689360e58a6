// SPDX-License-Identifier: Apache-2.0
// image-tools/oci/limits.hpp - what an image may cost before it is refused (E0413, exit 8).
#pragma once

#include <cstdint>

namespace oci {

struct Limits {
    std::uint64_t json_bytes = std::uint64_t{4} << 20; // an index, manifest or config
    unsigned json_depth = 64;
    unsigned index_depth = 4; // index in index
    std::uint64_t layers = 512;
    // Unpacked bytes in blocks of 512 that are not all zero:
    std::uint64_t unpacked_bytes = std::uint64_t{16} << 30; // all layers together
    std::uint64_t free_bytes = std::uint64_t{64} << 20;     // a layer up to this size may have any ratio
    std::uint64_t ratio = 250; // unpacked : packed, of one layer beyond free_bytes
    std::uint64_t inflated_bytes = std::uint64_t{256} << 30; // one layer, zeros included: its time
    std::uint64_t entries = 2'000'000;                       // tar entries of all layers
    std::uint64_t path_bytes = 4096;
    std::uint64_t name_bytes = 255;
    std::uint64_t depth = 256;                                    // directories above an entry
    std::uint64_t file_bytes = std::uint64_t{1} << 40;            // apparent size of one file, holes included
    std::uint64_t extended_header_bytes = std::uint64_t{1} << 20; // PAX or GNU header of one entry
    std::uint64_t sparse_extents = 65536;                         // of one file
    std::uint64_t sparse_overhead = std::uint64_t{256}
                                    << 20; // chunk maps and zeros around extents, of all files together
    std::uint64_t attribute_bytes = 65535; // one extended attribute's value
};

} // namespace oci
