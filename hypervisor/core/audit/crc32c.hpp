// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/crc32c.hpp - CRC-32C (Castagnoli), a byte at a time.
//
// Pure. Reflected, polynomial 0x1EDC6F41, start and end inverted. It finds every change within 32 bits in a row.
// Spec: RFC 3720 appendix B.4.
#pragma once

#include <array>
#include <cstdint>

namespace audit {

class Crc32c {
public:
    constexpr void add(std::uint8_t byte) { state_ = table[(state_ ^ byte) & 0xFF] ^ state_ >> 8; }
    [[nodiscard]] constexpr std::uint32_t value() const { return ~state_; }

private:
    static constexpr std::array<std::uint32_t, 256> table = [] {
        std::array<std::uint32_t, 256> out{};
        for (std::uint32_t i = 0; i < out.size(); ++i) {
            out[i] = i;
            for (int bit = 0; bit < 8; ++bit)
                out[i] = (out[i] & 1) != 0 ? out[i] >> 1 ^ 0x82F63B78 : out[i] >> 1;
        }
        return out;
    }();

    std::uint32_t state_ = ~std::uint32_t{0};
};

} // namespace audit
