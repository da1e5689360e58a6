// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/crypto/sha256.cpp - buffering and padding once, compression by either engine.
#include "hypervisor/core/crypto/sha256.hpp"

#include "hypervisor/core/crypto/raw_bytes.hpp"

#include <sodium/crypto_hash_sha256.h>

#include <algorithm>
#include <cstring>

#ifndef CAISSON_FREESTANDING
#include <cpuid.h>
#endif

extern "C" void caisson_sha256_ni(std::uint32_t* state, const void* blocks, std::size_t count);

namespace crypto {

namespace {

constexpr std::size_t block_size = 64;

void store_big_endian(std::uint8_t* to, std::uint64_t value, std::size_t size) {
    for (std::size_t i = 0; i < size; ++i)
        to[i] = static_cast<std::uint8_t>(value >> (8 * (size - 1 - i)));
}

// libsodium's compression function is reached through its streaming interface: whole blocks from a block
// boundary compress at once and leave the chaining value in `state`.
void compress_portable(std::array<std::uint32_t, 8>& state, std::span<const std::byte> blocks) {
    crypto_hash_sha256_state sodium;
    crypto_hash_sha256_init(&sodium);
    std::copy(state.begin(), state.end(), sodium.state);
    crypto_hash_sha256_update(&sodium, raw(blocks), blocks.size());
    std::copy(sodium.state, sodium.state + state.size(), state.begin());
}

} // namespace

Sha256::Sha256(Sha256Engine engine) : engine_(engine) {
    crypto_hash_sha256_state sodium;
    crypto_hash_sha256_init(&sodium);
    std::copy(sodium.state, sodium.state + state_.size(), state_.begin());
}

void Sha256::compress(std::span<const std::byte> blocks) {
    switch (engine_) {
    case Sha256Engine::portable:
        compress_portable(state_, blocks);
        return;
    case Sha256Engine::sha_extensions:
        caisson_sha256_ni(state_.data(), blocks.data(), blocks.size() / block_size);
        return;
    }
}

void Sha256::update(std::span<const std::byte> data) {
    if (data.empty())
        return;
    const std::size_t have = length_ % block_size;
    length_ += data.size();
    if (have != 0) {
        const std::size_t fill = std::min(block_size - have, data.size());
        std::memcpy(pending_.data() + have, data.data(), fill);
        data = data.subspan(fill);
        if (have + fill < block_size)
            return;
        compress(pending_);
    }
    const std::size_t whole = data.size() - data.size() % block_size;
    if (whole != 0)
        compress(data.first(whole));
    const auto rest = data.subspan(whole);
    if (!rest.empty())
        std::memcpy(pending_.data(), rest.data(), rest.size());
}

Digest256 Sha256::finish() {
    const std::uint64_t bits = length_ * 8;
    std::size_t have = length_ % block_size;
    pending_[have++] = std::byte{0x80};
    if (have > block_size - sizeof(bits)) {
        std::memset(pending_.data() + have, 0, block_size - have);
        compress(pending_);
        have = 0;
    }
    std::memset(pending_.data() + have, 0, block_size - have);
    std::array<std::uint8_t, sizeof(bits)> length;
    store_big_endian(length.data(), bits, length.size());
    std::memcpy(pending_.data() + block_size - length.size(), length.data(), length.size());
    compress(pending_);
    Digest256 digest;
    for (std::size_t i = 0; i < state_.size(); ++i)
        store_big_endian(digest.data() + 4 * i, state_[i], 4);
    return digest;
}

Digest256 sha256(std::span<const std::byte> data, Sha256Engine engine) {
    Sha256 hash{engine};
    hash.update(data);
    return hash.finish();
}

bool equal(std::span<const std::uint8_t, 32> left, std::span<const std::uint8_t, 32> right) {
    unsigned difference = 0;
    for (std::size_t i = 0; i < left.size(); ++i)
        difference |= static_cast<unsigned>(left[i] ^ right[i]);
    return difference == 0;
}

#ifndef CAISSON_FREESTANDING
Sha256Engine detect_sha256_engine() {
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    const bool vectors =
        __get_cpuid(1, &eax, &ebx, &ecx, &edx) != 0 && (ecx & bit_SSSE3) != 0 && (ecx & bit_SSE4_1) != 0;
    const bool extensions = __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (ebx & bit_SHA) != 0;
    return vectors && extensions ? Sha256Engine::sha_extensions : Sha256Engine::portable;
}
#endif

} // namespace crypto
