// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/random.hpp - the kernel's random generator.
//
// ChaCha20 keystream under a key that each request replaces (backtracking resistance), with SSSE3 where the CPU has it. Seeded from RDSEED /
// RDRAND, the boot page's seed and the hypervisor's entropy call, mixed by BLAKE2b: one honest source is
// enough.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace uk::machine {

// The random bytes of one request: one block of the generator gives its next key and this stream's.
class RandomStream {
public:
    RandomStream();
    ~RandomStream();
    RandomStream(const RandomStream&) = delete;
    RandomStream& operator=(const RandomStream&) = delete;

    void read(std::span<std::byte> out);

private:
    void begin();

    std::array<unsigned char, 32> key_{};
    std::uint64_t blocks_ = 0; // of its own that it has given
    bool spent_ = false;       // a short request got the key itself
};

void set_up_random(std::span<const std::byte> boot_seed);
void random_bytes(std::span<std::byte> out);
[[nodiscard]] std::uint64_t random_word();
// Uniform in [0, limit), limit a power of two.
[[nodiscard]] inline std::uint64_t random_below(std::uint64_t limit) {
    return random_word() & (limit - 1);
}

} // namespace uk::machine
