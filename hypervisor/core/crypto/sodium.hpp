// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sodium.hpp - libsodium's BLAKE2b, Ed25519 verification and X25519 behind
// spans.
//
// Pure.
// Spec:       RFC 7693 (BLAKE2b); RFC 8032, section 5.1.7 (Ed25519); RFC 7748, sections 5 and 6.1
//             (X25519).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace crypto {

// A span as the pointer libsodium takes.
inline const unsigned char* raw(std::span<const std::byte> data) {
    return static_cast<const unsigned char*>(static_cast<const void*>(data.data()));
}

// Fills `out` (1 to 64 bytes) with the BLAKE2b hash of that length; `key` (0 to 64 bytes) makes it a keyed
// hash. It derives seeds (entropy for partitions) and is the planned second tree hash for CPUs without the SHA extensions.
void blake2b(std::span<std::uint8_t> out, std::span<const std::byte> data,
             std::span<const std::byte> key = {});

// Strict: refuses S >= L, non-canonical or small-order public keys, small-order R; the comparison is on the encoding of
// R, so a non-canonical R never matches. Nothing here is secret.
[[nodiscard]] bool ed25519_verify(std::span<const std::byte, 64> signature,
                                  std::span<const std::byte> message,
                                  std::span<const std::uint8_t, 32> public_key);

using Key256 = std::array<std::uint8_t, 32>;

inline constexpr Key256 x25519_base{9}; // its product with a secret is the public key

// In constant time. False, and `out` is not to be used: the point is of small order.
[[nodiscard]] bool x25519(Key256& out, const Key256& secret, const Key256& point);

// Overwrites it, whatever the compiler thinks of stores that nobody reads.
void wipe(std::span<std::uint8_t> secret);

} // namespace crypto
