// SPDX-License-Identifier: Apache-2.0
// partitions/net/neighbour.hpp - what of IPv6 comes before any rule: extension headers are taken off, and what neighbours and routers
// of one link say to each other is told from the rest.
//
// Pure. Every byte is hostile.
//
// Invariants: I1  behind strip_extensions() a packet's transport stands directly behind its header: who looks next cannot see another
//                 one than the rules saw
//             I2  what kind_of_neighbours() knows has not passed a router, and each of its options lies within it
// Spec: RFC 8200 section 4, RFC 4861 section 6.1 and 7.1, RFC 3810 section 6.2 (who asks for members of groups), RFC 5722, RFC 6980
//       (fragments carry none of it).
#pragma once

#include "partitions/net/packet.hpp"

namespace net {

inline constexpr unsigned most_extensions = 4; // headers in one packet
inline constexpr std::size_t most_extension_bytes = 256;

// Takes hop-by-hop and destination options and a routing header that is done with out of `packet`, whose length is what it says.
// pass: `packet` is what is left, of which the first byte may be another place; else why it is none (malformed, fragment).
[[nodiscard]] Verdict strip_extensions(std::span<std::byte>& packet);

// What a station takes without a rule: solicitations and advertisements of neighbours, advertisements of routers, and the question who
// is in a group. Its sums were looked at.
enum class Neighbours : std::uint8_t { no, neighbour, router, groups };
[[nodiscard]] Neighbours kind_of_neighbours(std::span<const std::byte> packet);

// What a station says of itself: questions for neighbours and routers, answers, reports of groups (behind a header of options).
[[nodiscard]] bool is_said_to_neighbours(std::span<const std::byte> packet);

} // namespace net
