// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sha256.cpp - libsodium's streaming SHA-256, whole blocks compressed by either engine.
#include "hypervisor/core/crypto/sha256.hpp"

#include "hypervisor/core/crypto/sodium.hpp"

#include <sodium/crypto_verify_32.h>

#include <algorithm>

extern "C" void caisson_sha256_ni(std::uint32_t* state, const void* blocks, std::size_t count);

namespace crypto {

namespace {

constexpr std::size_t block_size = 64;

} // namespace

Sha256::Sha256(Sha256Engine engine) : engine_(engine) {
    crypto_hash_sha256_init(&state_);
}

void Sha256::update(std::span<const std::byte> data) {
    // libsodium buffers what is no whole block; between blocks its state is the chaining value and the number of bits.
    if (engine_ == Sha256Engine::sha_extensions) {
        const std::size_t pending = state_.count / 8 % block_size;
        const auto head = data.first(std::min(data.size(), (block_size - pending) % block_size));
        crypto_hash_sha256_update(&state_, raw(head), head.size());
        data = data.subspan(head.size());
        if (const std::size_t blocks = data.size() / block_size; blocks > 0) {
            caisson_sha256_ni(state_.state, data.data(), blocks);
            state_.count += blocks * block_size * 8;
            data = data.subspan(blocks * block_size);
        }
    }
    crypto_hash_sha256_update(&state_, raw(data), data.size());
}

Digest256 Sha256::finish() {
    Digest256 digest;
    crypto_hash_sha256_final(&state_, digest.data());
    return digest;
}

Digest256 sha256(std::span<const std::byte> data, Sha256Engine engine) {
    Sha256 hash{engine};
    hash.update(data);
    return hash.finish();
}

bool equal(std::span<const std::uint8_t, 32> left, std::span<const std::uint8_t, 32> right) {
    return crypto_verify_32(left.data(), right.data()) == 0;
}

} // namespace crypto
