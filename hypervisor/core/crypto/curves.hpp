// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/curves.hpp - libsodium's Ed25519 verification and X25519 behind spans.
//
// Pure.
// Spec:       RFC 8032, section 5.1.7 (Ed25519); RFC 7748, sections 5 and 6.1 (X25519).
#pragma once

#include "hypervisor/core/crypto/sodium.hpp"

namespace crypto {

// Strict: refuses S >= L, non-canonical or small-order public keys, small-order R; the comparison is on the encoding of
// R, so a non-canonical R never matches. Nothing here is secret.
[[nodiscard]] bool ed25519_verify(std::span<const std::byte, 64> signature,
                                  std::span<const std::byte> message,
                                  std::span<const std::uint8_t, 32> public_key);

inline constexpr Key256 x25519_base{9}; // its product with a secret is the public key

// In constant time. False, and `out` is not to be used: the point is of small order.
[[nodiscard]] bool x25519(Key256& out, const Key256& secret, const Key256& point);

} // namespace crypto
