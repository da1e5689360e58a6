// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/ed25519.hpp - verifying Ed25519 signatures (libsodium's code).
//
// Pure. Strict: refuses S >= L, non-canonical or small-order public keys, small-order R; the comparison is on
// the encoding of R, so a non-canonical R never matches. Nothing here is secret. Spec: RFC 8032,
// section 5.1.7.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace crypto {

[[nodiscard]] bool ed25519_verify(std::span<const std::uint8_t, 64> signature,
                                  std::span<const std::byte> message,
                                  std::span<const std::uint8_t, 32> public_key);

} // namespace crypto
