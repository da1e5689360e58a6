// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/entropy.hpp - random bytes for boot pages and the entropy hypercall.
//
// A key gathered once at boot (RDSEED, RDRAND, the clock) and, for every request, fresh hardware bytes, the clock and a
// counter, through keyed BLAKE2b. Without hardware randomness the seed is weak and boot says so.
#pragma once

#include <array>
#include <cstdint>
#include <span>

namespace hv {

// Gathered once, by the boot CPU.
extern std::array<std::uint64_t, 8> entropy_key;
// One word of the hardware's; false where it has none.
[[nodiscard]] bool random_word(std::uint64_t& word);
// Any CPU; at most 64 bytes.
void fill_random(std::span<std::uint8_t> out);

} // namespace hv
