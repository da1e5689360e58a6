// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/x25519.cpp
#include "hypervisor/core/crypto/x25519.hpp"

#include <sodium/utils.h>

extern "C" int caisson_x25519(unsigned char* out, const unsigned char* scalar, const unsigned char* point);

namespace crypto {

bool x25519(Key256& out, const Key256& secret, const Key256& point) {
    return caisson_x25519(out.data(), secret.data(), point.data()) == 0;
}

void wipe(std::span<std::uint8_t> secret) {
    sodium_memzero(secret.data(), secret.size());
}

} // namespace crypto
