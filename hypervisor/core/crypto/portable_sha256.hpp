// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/portable_sha256.hpp - libsodium's SHA-256 as it is: no vector registers, which may be a guest's.
#pragma once

#include "hypervisor/core/crypto/sodium.hpp"

#include <sodium/crypto_hash_sha256.h>

namespace crypto {

using Digest256 = std::array<std::uint8_t, 32>;

class PortableSha256 {
public:
    PortableSha256() { crypto_hash_sha256_init(&state_); }
    void update(std::span<const std::byte> data) {
        crypto_hash_sha256_update(&state_, raw(data), data.size());
    }
    // The digest of everything so far; the object is used up.
    [[nodiscard]] Digest256 finish() {
        Digest256 digest;
        crypto_hash_sha256_final(&state_, digest.data());
        return digest;
    }

private:
    crypto_hash_sha256_state state_;
};

} // namespace crypto
