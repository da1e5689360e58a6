// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/address.cpp - see address.hpp.
// Spec: ip(7), ipv6(7), RFC 3493 section 3.7 (mapped addresses).
#include "partitions/unikernel/net/address.hpp"

#include <algorithm>
#include <cstring>

namespace uk::net {

namespace {

constexpr std::size_t port_at = 2, v4_at = 4, v6_at = 8;

} // namespace

std::uint16_t Address::family() const {
    if (size < sizeof(std::uint16_t))
        return family::unspecified;
    std::uint16_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
}

void Address::set(std::span<const std::byte> from) {
    size = static_cast<std::uint32_t>(std::min<std::size_t>(from.size(), most));
    std::memcpy(bytes.data(), from.data(), size);
}

bool IpAddress::is_v4() const {
    constexpr std::array<std::uint8_t, 12> mapped{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    return std::memcmp(octets.data(), mapped.data(), mapped.size()) == 0;
}

std::uint32_t IpAddress::v4_value() const {
    return std::uint32_t{octets[12]} << 24 | std::uint32_t{octets[13]} << 16 |
           std::uint32_t{octets[14]} << 8 | octets[15];
}

bool IpAddress::any() const {
    return *this == any_v6 || *this == any_v4;
}

bool IpAddress::loopback() const {
    return *this == loopback_v6 || (is_v4() && octets[12] == 127);
}

bool IpAddress::multicast() const {
    return is_v4() ? (octets[12] & 0xF0) == 0xE0 : octets[0] == 0xFF;
}

Result<Endpoint> decode(const Address& from) {
    const auto octet = [&from](std::size_t at) { return std::to_integer<std::uint8_t>(from.bytes[at]); };
    Endpoint out;
    switch (from.family()) {
    case family::inet:
        if (from.size < inet_bytes)
            return base::Failure{Errno::inval};
        out.address = any_v4;
        std::memcpy(out.address.octets.data() + 12, from.bytes.data() + v4_at, 4);
        break;
    case family::inet6:
        if (from.size < least_inet6_bytes)
            return base::Failure{Errno::inval};
        std::memcpy(out.address.octets.data(), from.bytes.data() + v6_at, 16);
        break;
    default:
        return base::Failure{from.size < sizeof(std::uint16_t) ? Errno::inval : Errno::afnosupport};
    }
    out.port = static_cast<std::uint16_t>(octet(port_at) << 8 | octet(port_at + 1));
    return out;
}

void encode(const Endpoint& endpoint, std::uint16_t of_family, Address& to) {
    to.size = of_family == family::inet ? inet_bytes : inet6_bytes;
    std::memset(to.bytes.data(), 0, to.size);
    std::memcpy(to.bytes.data(), &of_family, sizeof(of_family));
    to.bytes[port_at] = static_cast<std::byte>(endpoint.port >> 8);
    to.bytes[port_at + 1] = static_cast<std::byte>(endpoint.port);
    if (of_family == family::inet)
        std::memcpy(to.bytes.data() + v4_at, endpoint.address.octets.data() + 12, 4);
    else
        std::memcpy(to.bytes.data() + v6_at, endpoint.address.octets.data(), 16);
}

} // namespace uk::net
