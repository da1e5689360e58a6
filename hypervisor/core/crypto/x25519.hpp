// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/x25519.hpp - Diffie-Hellman on Curve25519 (libsodium's code), and forgetting secrets.
//
// Pure, in constant time. Spec: RFC 7748, sections 5 and 6.1.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace crypto {

using Key256 = std::array<std::uint8_t, 32>;

inline constexpr Key256 x25519_base{9}; // its product with a secret is the public key

// False, and `out` is not to be used: the point is of small order.
[[nodiscard]] bool x25519(Key256& out, const Key256& secret, const Key256& point);

// Overwrites it, whatever the compiler thinks of stores that nobody reads.
void wipe(std::span<std::uint8_t> secret);

} // namespace crypto
