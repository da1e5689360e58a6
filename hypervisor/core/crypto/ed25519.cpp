// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/ed25519.cpp
#include "hypervisor/core/crypto/ed25519.hpp"

#include "hypervisor/core/crypto/raw_bytes.hpp"

#include <sodium/crypto_sign_ed25519.h>

namespace crypto {

bool ed25519_verify(std::span<const std::uint8_t, 64> signature, std::span<const std::byte> message,
                    std::span<const std::uint8_t, 32> public_key) {
    return crypto_sign_ed25519_verify_detached(signature.data(), raw(message), message.size(),
                                               public_key.data()) == 0;
}

} // namespace crypto
