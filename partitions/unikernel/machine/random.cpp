// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/random.cpp - see random.hpp. The ciphers are libsodium's.
// Spec: RFC 8439 (ChaCha20), RFC 7693 (BLAKE2b).
#include "partitions/unikernel/machine/random.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/stubs.hpp"

#include <sodium/crypto_generichash_blake2b.h>

#include <algorithm>
#include <array>
#include <cstring>

extern "C" {
#include "crypto_stream/chacha20/dolbeau/chacha20_dolbeau-ssse3.h"
#include "crypto_stream/chacha20/ref/chacha20_ref.h"
}

namespace uk::machine {

namespace {

using Key = std::array<unsigned char, 32>;
constexpr std::size_t block_bytes = 64;
constexpr unsigned hardware_words = 8, tries = 10;
constexpr std::uint32_t rdrand_feature = 1u << 30, rdseed_feature = 1u << 18, ssse3_feature = 1u << 9;

Key key{};
bool vectors = false;

struct Seeds {
    std::array<std::byte, 64> boot{};
    std::array<std::uint64_t, 2 * hardware_words> hardware{};
    std::array<std::uint64_t, 4> hypervisor{};
    std::uint64_t time = 0;
};

bool from_hardware(std::uint64_t& word, bool (*instruction)(std::uint64_t&)) {
    for (unsigned i = 0; i < tries; ++i)
        if (instruction(word))
            return true;
    return false;
}

unsigned gather_hardware(Seeds& seeds) {
    const bool rdseed = cpu::cpuid(0).eax >= 7 && (cpu::cpuid(7).ebx & rdseed_feature) != 0;
    const bool rdrand = (cpu::cpuid(1).ecx & rdrand_feature) != 0;
    unsigned words = 0;
    for (unsigned i = 0; i < hardware_words; ++i) {
        if (rdseed && from_hardware(seeds.hardware[i], &cpu::rdseed))
            ++words;
        if (rdrand && from_hardware(seeds.hardware[hardware_words + i], &cpu::rdrand))
            ++words;
    }
    return words;
}

// ChaCha20 from block `first` of that key on. A stream's key is used once, so its nonce is zero.
void keystream(std::span<unsigned char> out, const Key& from, std::uint64_t first) {
    static constexpr std::array<unsigned char, 8> nonce{};
    std::memset(out.data(), 0, out.size());
    if (!vectors) {
        (void)crypto_stream_chacha20_ref_implementation.stream_xor_ic(out.data(), out.data(), out.size(),
                                                                      nonce.data(), first, from.data());
        return;
    }
    // The program's registers; the upper halves that AVX adds are left alone by SSE instructions.
    alignas(16) std::array<std::byte, 256> programs;
    save_sse(programs.data());
    (void)crypto_stream_chacha20_dolbeau_ssse3_implementation.stream_xor_ic(
        out.data(), out.data(), out.size(), nonce.data(), first, from.data());
    load_sse(programs.data());
}

void wipe(std::span<unsigned char> bytes) {
    std::memset(bytes.data(), 0, bytes.size());
    asm volatile("" ::"r"(bytes.data()) : "memory"); // SAFETY: nothing; the compiler may not leave it out
}

} // namespace

void set_up_random(std::span<const std::byte> boot_seed) {
    Seeds seeds;
    std::copy_n(boot_seed.begin(), std::min(boot_seed.size(), seeds.boot.size()), seeds.boot.begin());
    const unsigned hardware = gather_hardware(seeds);
    const HypercallResult hypervisor = hypercall(CAISSON_CALL_ENTROPY, {});
    if (hypervisor.value == 0)
        seeds.hypervisor = hypervisor.more;
    else if (hardware == 0)
        base::fail("no source of randomness: neither RDSEED, RDRAND nor the hypervisor", "", 0);
    seeds.time = cpu::rdtsc();
    (void)crypto_generichash_blake2b(key.data(), key.size(), reinterpret_cast<const unsigned char*>(&seeds),
                                     sizeof(seeds), nullptr, 0);
    std::memset(&seeds, 0, sizeof(seeds));
    vectors = (cpu::cpuid(1).ecx & ssse3_feature) != 0;
}

RandomStream::RandomStream() {
    begin();
}

RandomStream::~RandomStream() {
    wipe(key_);
}

void RandomStream::begin() {
    std::array<unsigned char, 64> block; // the generator's next key, then this stream's
    keystream(block, key, 0);
    std::copy_n(block.begin(), key.size(), key.begin());
    std::copy_n(block.begin() + key.size(), key_.size(), key_.begin());
    wipe(block);
    blocks_ = 0;
    spent_ = false;
}

void RandomStream::read(std::span<std::byte> out) {
    if (spent_)
        begin();
    if (blocks_ == 0 && out.size() <= key_.size()) {
        std::memcpy(out.data(), key_.data(), out.size());
        spent_ = true;
        return;
    }
    keystream({reinterpret_cast<unsigned char*>(out.data()), out.size()}, key_, blocks_);
    blocks_ += (out.size() + block_bytes - 1) / block_bytes;
}

void random_bytes(std::span<std::byte> out) {
    RandomStream{}.read(out);
}

std::uint64_t random_word() {
    std::array<std::byte, 8> bytes{};
    random_bytes(bytes);
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    return word;
}

} // namespace uk::machine
