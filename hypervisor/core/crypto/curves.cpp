// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/crypto/curves.hpp"

#include <sodium/crypto_sign_ed25519.h>

extern "C" int caisson_x25519(unsigned char* out, const unsigned char* scalar, const unsigned char* point);

namespace crypto {

bool ed25519_verify(std::span<const std::byte, 64> signature, std::span<const std::byte> message,
                    std::span<const std::uint8_t, 32> public_key) {
    return crypto_sign_ed25519_verify_detached(raw(signature), raw(message), message.size(),
                                               public_key.data()) == 0;
}

bool x25519(Key256& out, const Key256& secret, const Key256& point) {
    return caisson_x25519(out.data(), secret.data(), point.data()) == 0;
}

} // namespace crypto
