// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/retained.hpp - what goes over the serial line, once more in memory that a reset leaves as it is: the next
// boot finds there what the machine said at its end (start_retained.hpp).
//
// Pure. The region is a head and a ring of the line's bytes: frames, each with its CRC.
// Invariants: I1  a reset may come between any two stores: what the head counts has been written
//             I2  nothing is left to the caches, which a reset may drop
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace audit {

struct RetainedHead {
    std::uint64_t magic;
    std::uint32_t bytes;   // of the ring, right behind the head
    std::uint32_t crc;     // CRC-32C of what is before it
    std::uint64_t written; // since the machine began; the ring has the last of them. One store changes it
    std::array<std::uint64_t, 5> padding;
};
static_assert(sizeof(RetainedHead) == 64, "a line of the cache");

// Flush()(pointer): the byte there is in memory, not only in a cache.
template <typename Flush> struct RetainedLog {
    RetainedHead* head = nullptr; // none yet: nothing is kept
    std::span<std::byte> ring;

    void put(std::uint8_t byte) {
        if (head == nullptr)
            return;
        std::byte& place = ring[head->written % ring.size()];
        place = std::byte{byte};
        Flush()(&place);
        ++head->written;
        Flush()(&head->written);
    }
};

} // namespace audit
