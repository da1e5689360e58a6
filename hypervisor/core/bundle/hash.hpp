// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/bundle/hash.hpp - the hashes of the bundle format, for who writes and who verifies.
//
// Pure. The definitions are in format.hpp; nothing else computes them.
#pragma once

#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bytes/checked.hpp"
#include "hypervisor/core/crypto/sha256.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace bundle {

inline constexpr std::uint64_t leaf_size = std::uint64_t{1} << leaf_log2;

[[nodiscard]] constexpr std::uint64_t leaf_count(std::uint64_t section_size) {
    return bytes::units(section_size, leaf_size);
}
// Bytes of leaf `leaf` (< leaf_count) of a section of that size.
[[nodiscard]] constexpr std::uint64_t leaf_length(std::uint64_t section_size, std::uint64_t leaf) {
    const std::uint64_t rest = section_size - leaf * leaf_size;
    return rest < leaf_size ? rest : leaf_size;
}

// The hash of one leaf, fed piece by piece.
class LeafHash {
public:
    LeafHash(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf, std::uint64_t length,
             crypto::Sha256Engine engine);
    void update(std::span<const std::byte> data) { hash_.update(data); }
    [[nodiscard]] Hash finish() { return hash_.finish(); }

private:
    crypto::Sha256 hash_;
};

[[nodiscard]] Hash leaf_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t leaf,
                             std::span<const std::byte> data, crypto::Sha256Engine engine);

// `leaves`: the section's leaf hashes in order, 32 bytes each.
[[nodiscard]] Hash root_hash(std::uint32_t type, std::uint32_t partition, std::uint64_t section_size,
                             std::span<const std::byte> leaves, crypto::Sha256Engine engine);

// Over the header with bundle_id, key_id and signature taken as zero. `header` is header_size bytes.
[[nodiscard]] Hash bundle_id(std::span<const std::byte> header, crypto::Sha256Engine engine);

[[nodiscard]] Hash key_id(std::span<const std::uint8_t, 32> public_key, crypto::Sha256Engine engine);

} // namespace bundle
