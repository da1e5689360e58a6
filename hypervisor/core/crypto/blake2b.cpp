// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/blake2b.cpp
#include "hypervisor/core/crypto/blake2b.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/core/crypto/raw_bytes.hpp"

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_hash_sha512.h>

namespace crypto {

void blake2b(std::span<std::uint8_t> out, std::span<const std::byte> data, std::span<const std::byte> key) {
    base::expects(!out.empty() && out.size() <= 64 && key.size() <= 64, "blake2b: sizes");
    const int result =
        crypto_generichash_blake2b(out.data(), out.size(), raw(data), data.size(), raw(key), key.size());
    base::expects(result == 0, "blake2b: refused");
}

std::array<std::uint8_t, 64> sha512(std::span<const std::byte> data) {
    std::array<std::uint8_t, 64> digest;
    crypto_hash_sha512(digest.data(), raw(data), data.size());
    return digest;
}

} // namespace crypto
