// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/start_retained.hpp - the retained log (retained.hpp) when a machine boots: what the boot before this one
// left there, and a new one.
//
// Pure.
// Trust: a region that nobody has begun yet holds anything: whatever ran there may have made up a head. What comes out is a
//        part of the region, for people, and proves nothing.
#pragma once

#include "hypervisor/core/audit/crc32c.hpp"
#include "hypervisor/core/audit/retained.hpp"

#include <cstring>
#include <optional>

namespace audit {

inline constexpr std::uint64_t retained_magic = 0x474F4C4E49415452; // "RTAINLOG"

[[nodiscard]] inline std::uint32_t crc_of(const RetainedHead& head) {
    std::array<std::uint8_t, offsetof(RetainedHead, crc)> covered;
    std::memcpy(covered.data(), &head, covered.size());
    Crc32c sum;
    for (const std::uint8_t byte : covered)
        sum.add(byte);
    return sum.value();
}

// The ring's bytes, the oldest first.
struct Retained {
    std::span<const std::byte> older, newer;
};
// Of a region that has been begun with the same size and is still there. `region`: more bytes than a head.
[[nodiscard]] inline std::optional<Retained> find_retained(std::span<const std::byte> region) {
    RetainedHead head{};
    std::memcpy(&head, region.data(), sizeof head);
    const auto ring = region.subspan(sizeof head);
    if (head.magic != retained_magic || head.bytes != ring.size() || head.crc != crc_of(head))
        return std::nullopt;
    if (head.written <= ring.size())
        return Retained{ring.first(head.written), {}};
    const std::size_t next = head.written % ring.size();
    return Retained{ring.subspan(next), ring.first(next)};
}

// An empty one in place of whatever is there.
[[nodiscard]] inline RetainedHead new_head(std::span<const std::byte> region) {
    RetainedHead head{
        retained_magic, static_cast<std::uint32_t>(region.size() - sizeof(RetainedHead)), 0, 0, {}};
    head.crc = crc_of(head);
    return head;
}

} // namespace audit
