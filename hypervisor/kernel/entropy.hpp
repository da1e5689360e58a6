// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/entropy.hpp - random bytes for boot pages and the entropy hypercall.
//
// A key gathered once at boot (RDSEED, RDRAND, the clock) and, for every request, fresh hardware bytes, the clock and a
// counter, through keyed BLAKE2b. Without hardware randomness the seed is weak and boot says so.
#pragma once

#include <cstdint>
#include <span>

namespace hv {

// Once, on the boot CPU. False: no hardware source.
bool gather_entropy();
// Any CPU; at most 64 bytes.
void fill_random(std::span<std::uint8_t> out);

} // namespace hv
