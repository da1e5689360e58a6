// SPDX-License-Identifier: Apache-2.0
// partitions/net/checksum.hpp - the Internet checksum: made, looked at, and changed with the words that it is of.
//
// Pure.
// Spec: RFC 1071, RFC 1624 (equation 3), RFC 768 (UDP's 0: none was made), RFC 8200 section 8.1 (which IPv6 does not have).
#pragma once

#include "partitions/net/packet.hpp"

namespace net {

// The sum of big-endian words, carried round; what is behind the last whole word counts as its upper half.
[[nodiscard]] constexpr std::uint32_t sum_words(std::span<const std::byte> bytes, std::uint32_t sum = 0) {
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        const auto octet = static_cast<std::uint32_t>(bytes[i]);
        sum += i % 2 == 0 ? octet << 8 : octet;
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    return sum;
}

// Where a packet's transport stands, and which it is. IPv6's without extension headers.
struct Transport {
    std::size_t at = 0; // 0: the packet is too short for any
    std::uint8_t protocol = 0;
};
[[nodiscard]] constexpr Transport transport_of(std::span<const std::byte> packet) {
    const bool v6 = is_version_6(packet);
    const std::size_t at = v6 ? ip6_header : ip_header;
    if (packet.size() < at)
        return {};
    return {at, static_cast<std::uint8_t>(packet[v6 ? 6 : 9])};
}

// Of the payload of a packet (IPv4: 20 bytes of header) with the addresses, protocol and length before it.
[[nodiscard]] constexpr std::uint32_t sum_payload(std::span<const std::byte> packet) {
    const auto [at, protocol] = transport_of(packet);
    const std::span<const std::byte> payload = packet.subspan(at);
    if (protocol == protocol::icmp && at == ip_header)
        return sum_words(payload);
    const std::span<const std::byte> addresses =
        at == ip_header ? packet.subspan(12, 8) : packet.subspan(8, 2 * address6_bytes);
    return sum_words(payload, sum_words(addresses, static_cast<std::uint32_t>(payload.size()) + protocol));
}

// Where a packet's transport has its sum; 0: it has none that is known here.
[[nodiscard]] constexpr std::size_t place_of_sum(std::uint8_t protocol, std::size_t header = ip_header) {
    switch (protocol) {
    case protocol::icmp:
        return header == ip_header ? header + 2 : 0;
    case protocol::icmp6:
        return header == ip6_header ? header + 2 : 0;
    case protocol::tcp:
        return header + 16;
    case protocol::udp:
        return header + 6;
    default:
        return 0;
    }
}

// Whether the sums of a packet without IP options are right, as far as it is of a known protocol. TCP's are left to TCP.
[[nodiscard]] constexpr bool sums_hold(std::span<const std::byte> packet) {
    constexpr std::uint32_t right = 0xFFFF;
    const auto [header, protocol] = transport_of(packet);
    const bool v4 = header == ip_header;
    if (header == 0 || (v4 && sum_words(packet.first(ip_header)) != right))
        return false;
    const std::size_t at = place_of_sum(protocol, header);
    if (at == 0)
        return true;
    if (packet.size() < at + 2)
        return false;
    const bool none =
        protocol == protocol::udp && packet[at] == std::byte{0} && packet[at + 1] == std::byte{0};
    return protocol == protocol::tcp || (none ? v4 : sum_payload(packet) == right);
}

// Fills in the sums of a packet that parse() or parse6() would pass.
constexpr void make_sums(std::span<std::byte> packet) {
    const auto put = [packet](std::size_t at, std::uint32_t sum) {
        packet[at] = static_cast<std::byte>(sum >> 8);
        packet[at + 1] = static_cast<std::byte>(sum);
    };
    const auto [header, protocol] = transport_of(packet);
    if (header == ip_header) {
        put(10, 0);
        put(10, ~sum_words(packet.first(ip_header)));
    }
    const std::size_t at = place_of_sum(protocol, header);
    put(at, 0);
    const std::uint32_t sum = ~sum_payload(packet) & 0xFFFF;
    put(at, protocol == protocol::udp && sum == 0 ? 0xFFFF : sum);
}

// A sum after one of its words has become another.
[[nodiscard]] constexpr std::uint16_t change_sum(std::uint16_t sum, std::uint16_t from, std::uint16_t to) {
    std::uint32_t out = (~std::uint32_t{sum} & 0xFFFF) + (~std::uint32_t{from} & 0xFFFF) + to;
    out = (out & 0xFFFF) + (out >> 16);
    out = (out & 0xFFFF) + (out >> 16);
    return static_cast<std::uint16_t>(~out);
}

} // namespace net
