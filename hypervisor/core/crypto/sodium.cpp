// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sodium.cpp
#include "hypervisor/core/crypto/sodium.hpp"

#include "hypervisor/base/fail.hpp"

#include <sodium/crypto_generichash_blake2b.h>
#include <sodium/crypto_sign_ed25519.h>
#include <sodium/utils.h>

extern "C" int caisson_x25519(unsigned char* out, const unsigned char* scalar, const unsigned char* point);

namespace crypto {

void blake2b(std::span<std::uint8_t> out, std::span<const std::byte> data, std::span<const std::byte> key) {
    const int result =
        crypto_generichash_blake2b(out.data(), out.size(), raw(data), data.size(), raw(key), key.size());
    base::expects(result == 0, "blake2b: sizes"); // it refuses nothing else
}

bool ed25519_verify(std::span<const std::byte, 64> signature, std::span<const std::byte> message,
                    std::span<const std::uint8_t, 32> public_key) {
    return crypto_sign_ed25519_verify_detached(raw(signature), raw(message), message.size(),
                                               public_key.data()) == 0;
}

bool x25519(Key256& out, const Key256& secret, const Key256& point) {
    return caisson_x25519(out.data(), secret.data(), point.data()) == 0;
}

void wipe(std::span<std::uint8_t> secret) {
    sodium_memzero(secret.data(), secret.size());
}

} // namespace crypto
