// SPDX-License-Identifier: Apache-2.0
#include "image-tools/files/sha256_pair.hpp"

#include <algorithm>
#include <immintrin.h>

namespace files {
namespace {

// FIPS 180-4, 4.2.2.
alignas(16) constexpr std::array<std::uint32_t, 64> constants{
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;

__m128i load(const void* from) {
    return _mm_loadu_si128(static_cast<const __m128i*>(from));
}
void store(void* to, __m128i value) {
    _mm_storeu_si128(static_cast<__m128i*>(to), value);
}

// One message's words in the order that the instructions want: ABEF and CDGH, high to low.
struct Lane {
    __m128i abef, cdgh;
    __m128i abef_before, cdgh_before;
    __m128i words[4]; // sixteen of the schedule (a template would lose the type's alignment)

    __attribute__((target("sha,sse4.1"))) explicit Lane(const State& state) {
        const __m128i badc = _mm_shuffle_epi32(load(state.data()), 0xb1);
        const __m128i efgh = _mm_shuffle_epi32(load(state.data() + 4), 0x1b);
        abef = _mm_alignr_epi8(badc, efgh, 8);
        cdgh = _mm_blend_epi16(efgh, badc, 0xf0);
    }
    __attribute__((target("sha,sse4.1"))) void save(State& state) const {
        const __m128i feba = _mm_shuffle_epi32(abef, 0x1b);
        const __m128i dchg = _mm_shuffle_epi32(cdgh, 0xb1);
        store(state.data(), _mm_blend_epi16(feba, dchg, 0xf0));
        store(state.data() + 4, _mm_alignr_epi8(dchg, feba, 8));
    }
    __attribute__((target("sha,sse4.1"))) void begin(const std::byte* data) {
        const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
        for (std::size_t i = 0; i < 4; ++i)
            words[i] = _mm_shuffle_epi8(load(data + 16 * i), big_endian);
        abef_before = abef;
        cdgh_before = cdgh;
    }
    // Four rounds, and the four words that come sixteen after theirs.
    __attribute__((target("sha,sse4.1"))) void rounds(std::size_t i) {
        const __m128i now = words[i % 4];
        const __m128i added = _mm_add_epi32(now, load(constants.data() + 4 * i));
        cdgh = _mm_sha256rnds2_epu32(cdgh, abef, added);
        if (i >= 3 && i < 15) {
            __m128i& next = words[(i + 1) % 4];
            next = _mm_add_epi32(_mm_sha256msg1_epu32(next, words[(i + 2) % 4]),
                                 _mm_alignr_epi8(now, words[(i + 3) % 4], 4));
            next = _mm_sha256msg2_epu32(next, now);
        }
        abef = _mm_sha256rnds2_epu32(abef, cdgh, _mm_shuffle_epi32(added, 0x0e));
    }
    __attribute__((target("sha,sse4.1"))) void end() {
        abef = _mm_add_epi32(abef, abef_before);
        cdgh = _mm_add_epi32(cdgh, cdgh_before);
    }
};

__attribute__((target("sha,sse4.1"), flatten)) void
compress(std::array<State, 2>& states, const std::byte* first, const std::byte* second, std::size_t blocks) {
    Lane one(states[0]), two(states[1]);
    for (; blocks != 0; --blocks, first += 64, second += 64) {
        one.begin(first);
        two.begin(second);
#pragma GCC unroll 16
        for (std::size_t i = 0; i < 16; ++i) {
            one.rounds(i);
            two.rounds(i);
        }
        one.end();
        two.end();
    }
    one.save(states[0]);
    two.save(states[1]);
}

} // namespace

void Sha256Pair::update(std::array<const std::byte*, 2> data, std::size_t count) {
    length_ += count;
    const auto pass = [&](std::size_t passed) {
        for (const std::byte*& bytes : data)
            bytes += passed;
        count -= passed;
    };
    const auto keep = [&](std::size_t kept) {
        for (std::size_t lane = 0; lane < data.size(); ++lane)
            std::copy_n(data[lane], kept, partial_[lane].data() + in_partial_);
        in_partial_ += kept;
        pass(kept);
    };
    if (in_partial_ != 0) {
        keep(std::min(count, block - in_partial_));
        if (in_partial_ < block)
            return;
        compress(state_, partial_[0].data(), partial_[1].data(), 1);
        in_partial_ = 0;
    }
    const std::size_t blocks = count / block;
    compress(state_, data[0], data[1], blocks);
    pass(blocks * block);
    keep(count);
}

std::array<crypto::Digest256, 2> Sha256Pair::finish() {
    // A one bit, zeros, and the length in bits in the last eight bytes of a block (FIPS 180-4, 5.1.1).
    std::array<std::byte, 2 * block> end{std::byte{0x80}};
    const std::size_t count = (in_partial_ < block - 8 ? block : 2 * block) - in_partial_;
    for (std::size_t i = 0; i < 8; ++i)
        end[count - 1 - i] = static_cast<std::byte>(length_ * 8 >> (8 * i));
    update({end.data(), end.data()}, count);
    std::array<crypto::Digest256, 2> out{};
    for (std::size_t lane = 0; lane < out.size(); ++lane)
        for (std::size_t i = 0; i < out[lane].size(); ++i)
            out[lane][i] = static_cast<std::uint8_t>(state_[lane][i / 4] >> (24 - 8 * (i % 4)));
    return out;
}

} // namespace files
