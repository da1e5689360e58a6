// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sodium.hpp - libsodium's BLAKE2b behind spans (curves.hpp: Ed25519 and X25519).
//
// Pure.
// Spec:       RFC 7693.
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

using Key256 = std::array<std::uint8_t, 32>;

// Overwrites it, whatever the compiler thinks of stores that nobody reads.
void wipe(std::span<std::uint8_t> secret);

} // namespace crypto
