// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/blake2b.hpp - BLAKE2b and SHA-512 in one call each (libsodium's code).
//
// Pure. BLAKE2b derives seeds (entropy for partitions) and is the planned second tree hash for CPUs without
// the SHA extensions. Spec: RFC 7693; FIPS 180-4 "SHA-512".
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace crypto {

// Fills `out` (1 to 64 bytes) with the BLAKE2b hash of that length; `key` (0 to 64 bytes) makes it a keyed
// hash.
void blake2b(std::span<std::uint8_t> out, std::span<const std::byte> data,
             std::span<const std::byte> key = {});

[[nodiscard]] std::array<std::uint8_t, 64> sha512(std::span<const std::byte> data);

} // namespace crypto
