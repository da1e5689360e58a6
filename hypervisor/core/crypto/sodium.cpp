// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sodium.cpp
#include "hypervisor/core/crypto/sodium.hpp"

#include "hypervisor/base/fail.hpp"

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/utils.h>

namespace crypto {

void blake2b(std::span<std::uint8_t> out, std::span<const std::byte> data, std::span<const std::byte> key) {
    const int result =
        crypto_generichash_blake2b(out.data(), out.size(), raw(data), data.size(), raw(key), key.size());
    base::expects(result == 0, "blake2b: sizes"); // it refuses nothing else
}

void wipe(std::span<std::uint8_t> secret) {
    sodium_memzero(secret.data(), secret.size());
}

} // namespace crypto
