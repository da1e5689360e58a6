// SPDX-License-Identifier: Apache-2.0
// partitions/net/checksum.hpp - the Internet checksum: made, looked at, and changed with the words that it is of.
//
// Pure.
// Spec: RFC 1071, RFC 1624 (equation 3), RFC 768 (UDP's 0: none was made).
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

// Of the payload of an IPv4 packet (20 bytes of header) with the addresses, protocol and length before it.
[[nodiscard]] constexpr std::uint32_t sum_payload(std::span<const std::byte> packet) {
    const auto protocol = static_cast<std::uint32_t>(packet[9]);
    const std::span<const std::byte> payload = packet.subspan(ip_header);
    if (protocol == protocol::icmp)
        return sum_words(payload);
    return sum_words(payload,
                     sum_words(packet.subspan(12, 8), static_cast<std::uint32_t>(payload.size()) + protocol));
}

// Where a packet's transport has its sum; 0: it has none that is known here.
[[nodiscard]] constexpr std::size_t place_of_sum(std::uint8_t protocol) {
    switch (protocol) {
    case protocol::icmp:
        return ip_header + 2;
    case protocol::tcp:
        return ip_header + 16;
    case protocol::udp:
        return ip_header + 6;
    default:
        return 0;
    }
}

// Whether the sums of a packet without IP options are right, as far as it is of a known protocol. TCP's are left to TCP.
[[nodiscard]] constexpr bool sums_hold(std::span<const std::byte> packet) {
    constexpr std::uint32_t right = 0xFFFF;
    if (packet.size() < ip_header || sum_words(packet.first(ip_header)) != right)
        return false;
    const auto protocol = static_cast<std::uint8_t>(packet[9]);
    const std::size_t at = place_of_sum(protocol);
    if (at == 0)
        return true;
    if (packet.size() < at + 2)
        return false;
    const bool none =
        protocol == protocol::udp && packet[at] == std::byte{0} && packet[at + 1] == std::byte{0};
    return protocol == protocol::tcp || none || sum_payload(packet) == right;
}

// Fills in both sums of a packet that parse() would pass.
constexpr void make_sums(std::span<std::byte> packet) {
    const auto put = [packet](std::size_t at, std::uint32_t sum) {
        packet[at] = static_cast<std::byte>(sum >> 8);
        packet[at + 1] = static_cast<std::byte>(sum);
    };
    const auto protocol = static_cast<std::uint8_t>(packet[9]);
    put(10, 0);
    put(10, ~sum_words(packet.first(ip_header)));
    const std::size_t at = place_of_sum(protocol);
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
