// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/run.hpp - a range of host-physical memory.
#pragma once

#include <cstdint>

namespace memory {

struct Run {
    std::uint64_t base;
    std::uint64_t bytes;
    [[nodiscard]] constexpr std::uint64_t end() const { return base + bytes; }
    [[nodiscard]] constexpr bool overlaps(const Run& other) const {
        return bytes != 0 && other.bytes != 0 && base < other.end() && other.base < end();
    }
};

} // namespace memory
