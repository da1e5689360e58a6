// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/random.cpp - see random.hpp. The ciphers are libsodium's portable code.
// Spec: RFC 8439 (ChaCha20), RFC 7693 (BLAKE2b).
#include "partitions/unikernel/machine/random.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/console.hpp"

#include <sodium/crypto_generichash_blake2b.h>

#include <algorithm>
#include <array>
#include <cstring>

extern "C" {
#include "crypto_stream/chacha20/ref/chacha20_ref.h"
}

namespace uk::machine {

namespace {

using Key = std::array<unsigned char, 32>;
constexpr std::size_t block_bytes = 512; // of keystream at once: the next key and output
constexpr unsigned hardware_words = 8, tries = 10;
constexpr std::uint32_t rdrand_feature = 1u << 30, rdseed_feature = 1u << 18;

Key key{};

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

void keystream(std::span<unsigned char> out) {
    static constexpr std::array<unsigned char, 8> nonce{}; // every key is used once
    (void)crypto_stream_chacha20_ref_implementation.stream(out.data(), out.size(), nonce.data(), key.data());
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
}

void random_bytes(std::span<std::byte> out) {
    std::array<unsigned char, block_bytes> block{};
    do {
        const std::size_t part = std::min(out.size(), block.size() - key.size());
        keystream(std::span{block}.first(key.size() + part));
        std::copy_n(block.begin(), key.size(), key.begin());
        std::memcpy(out.data(), block.data() + key.size(), part);
        out = out.subspan(part);
    } while (!out.empty());
    std::memset(block.data(), 0, block.size());
}

std::uint64_t random_word() {
    std::array<std::byte, 8> bytes{};
    random_bytes(bytes);
    std::uint64_t word = 0;
    std::memcpy(&word, bytes.data(), sizeof(word));
    return word;
}

} // namespace uk::machine
