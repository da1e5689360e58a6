// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/vcpu/breath.hpp - long work in pieces between which the processor may take what it holds back.
//
// Pure. On AMD-V the hypervisor runs with GIF = 0, where SMIs and machine checks wait as NMIs do. After each piece GIF is
// opened for a moment, at least every 100 microseconds.
// Spec: AMD APM vol. 2 15.17 "Global Interrupt Flag".
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace vcpu {

inline constexpr std::size_t longest_breath_us = 100;

// Bytes that one CPU does at least in a microsecond, with half of the time as reserve: overwriting memory past the caches
// while all other CPUs of an old server do the same, and hashing without the SHA extensions at 1.5 GHz (12 cycles a byte).
inline constexpr std::size_t least_scrubbed_us = 400, least_hashed_us = 100;
inline constexpr std::size_t scrub_piece = 16 * 1024, hash_piece = 4096;
static_assert(2 * scrub_piece <= least_scrubbed_us * longest_breath_us);
static_assert(2 * hash_piece <= least_hashed_us * longest_breath_us);

// work(piece) over all of `bytes`, in order, breathe() after each.
template <typename Byte, typename Work, typename Breathe>
void in_breaths(std::span<Byte> bytes, std::size_t piece, Work work, Breathe breathe) {
    while (!bytes.empty()) {
        work(bytes.first(std::min(piece, bytes.size())));
        bytes = bytes.subspan(std::min(piece, bytes.size()));
        breathe();
    }
}

} // namespace vcpu
