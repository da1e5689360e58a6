// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/entropy.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/constant.hpp"
#include "hypervisor/core/crypto/sodium.hpp"

#include <atomic>

namespace hv {

CAISSON_CONSTANT_AFTER_BOOT constinit std::array<std::uint64_t, 8> entropy_key{};

namespace {

constinit std::atomic<std::uint64_t> requests{0};

} // namespace

bool random_word(std::uint64_t& word) {
    constexpr unsigned tries = 16;
    const bool seed = cpu::cpuid(0).eax >= 7 && (cpu::cpuid(7).ebx >> 18 & 1) != 0;
    const bool random = (cpu::cpuid(1).ecx >> 30 & 1) != 0;
    for (unsigned i = 0; i < tries && (seed || random); ++i)
        if ((seed && cpu::rdseed(word)) || (random && cpu::rdrand(word)))
            return true;
    return false;
}

void fill_random(std::span<std::uint8_t> out) {
    std::array<std::uint64_t, 6> input{requests.fetch_add(1, std::memory_order_relaxed), cpu::rdtsc()};
    for (std::size_t i = 2; i < input.size(); ++i)
        (void)random_word(input[i]);
    crypto::blake2b(out, std::as_bytes(std::span{input}), std::as_bytes(std::span{entropy_key}));
}

} // namespace hv
