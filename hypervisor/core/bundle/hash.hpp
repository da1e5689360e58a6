// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/hash.hpp - the hashes of the bundle format, for who writes and who verifies.
//
// Pure. The definitions are in format.hpp; nothing else computes them.
#pragma once

#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bytes/checked.hpp"
#include "hypervisor/core/crypto/sha256.hpp"

#include <algorithm>

namespace bundle {

inline constexpr std::uint64_t leaf_size = std::uint64_t{1} << leaf_log2;

[[nodiscard]] constexpr std::uint64_t leaf_count(std::uint64_t section_size) {
    return bytes::units(section_size, leaf_size);
}
// Bytes of leaf `leaf` (< leaf_count) of a section of that size.
[[nodiscard]] constexpr std::uint64_t leaf_length(std::uint64_t section_size, std::uint64_t leaf) {
    return std::min(section_size - leaf * leaf_size, leaf_size);
}

// What the hash of a leaf of `length` bytes begins with, before those bytes.
using LeafPrefix =
    std::array<std::byte, sizeof leaf_domain + 2 * sizeof(std::uint32_t) + 2 * sizeof(std::uint64_t)>;
[[nodiscard]] LeafPrefix leaf_prefix(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
                                     std::uint64_t length);

// The hash of one leaf of `length` bytes, to be fed with them piece by piece.
[[nodiscard]] crypto::Sha256 begin_leaf(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
                                        std::uint64_t length, crypto::Sha256Engine engine);
[[nodiscard]] Hash leaf_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
                             std::span<const std::byte> data, crypto::Sha256Engine engine);

// `leaves`: the section's leaf hashes in order, 32 bytes each.
[[nodiscard]] Hash root_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t section_size,
                             std::span<const std::byte> leaves, crypto::Sha256Engine engine);

// Over the header with bundle_id, key_id and signature taken as zero. `header` is header_size bytes.
[[nodiscard]] Hash bundle_id(std::span<const std::byte> header, crypto::Sha256Engine engine);

} // namespace bundle
