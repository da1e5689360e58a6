// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/kernel/entropy.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/core/crypto/sodium.hpp"

#include <atomic>

namespace hv {
namespace {

constinit std::array<std::uint64_t, 8> key{};
constinit std::atomic<std::uint64_t> requests{0};

// One word of the hardware's; false where it has none.
bool hardware_word(std::uint64_t& word) {
    constexpr unsigned tries = 16;
    const bool seed = cpu::cpuid(0).eax >= 7 && (cpu::cpuid(7).ebx >> 18 & 1) != 0;
    const bool random = (cpu::cpuid(1).ecx >> 30 & 1) != 0;
    for (unsigned i = 0; i < tries && (seed || random); ++i)
        if ((seed && cpu::rdseed(word)) || (random && cpu::rdrand(word)))
            return true;
    return false;
}

} // namespace

bool gather_entropy() {
    bool hardware = true;
    for (std::uint64_t& word : key) {
        std::uint64_t fresh = 0;
        hardware = hardware_word(fresh) && hardware;
        word = fresh ^ cpu::rdtsc();
    }
    return hardware;
}

void fill_random(std::span<std::uint8_t> out) {
    std::array<std::uint64_t, 6> input{requests.fetch_add(1, std::memory_order_relaxed), cpu::rdtsc()};
    for (std::size_t i = 2; i < input.size(); ++i)
        (void)hardware_word(input[i]);
    crypto::blake2b(out, std::as_bytes(std::span{input}), std::as_bytes(std::span{key}));
}

} // namespace hv
