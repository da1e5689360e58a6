// SPDX-License-Identifier: Apache-2.0
// image-tools/files/sha256_pair.hpp - the SHA-256 of two messages of one length at once.
//
// A round of SHA-256 waits for the round before it. A CPU with the SHA extensions does another message's round meanwhile:
// two messages take little more than half the time that they take one after the other. Nothing that is packaged does this
// for messages of more than 64 KiB.
// Spec: FIPS 180-4, 5.1.1 and 6.2.2; Intel SDM vol. 2, SHA256RNDS2, SHA256MSG1, SHA256MSG2.
#pragma once

#include "hypervisor/core/crypto/portable_sha256.hpp"

#include <array>
#include <cstddef>
#include <cstdint>

namespace files {

// Only where hash_engine() says sha_extensions.
class Sha256Pair {
public:
    // The next `count` bytes of each.
    void update(std::array<const std::byte*, 2> data, std::size_t count);
    [[nodiscard]] std::array<crypto::Digest256, 2> finish(); // once

private:
    static constexpr std::size_t block = 64;
    static constexpr std::array<std::uint32_t, 8> initial{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                          0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

    std::array<std::array<std::uint32_t, 8>, 2> state_{initial, initial};
    std::array<std::array<std::byte, block>, 2> partial_{}; // what is no whole block yet
    std::size_t in_partial_ = 0;
    std::uint64_t length_ = 0; // bytes of each
};

} // namespace files
