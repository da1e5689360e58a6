// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/address.hpp - socket addresses: as programs give them, and what is in those of IP.
#pragma once

#include "partitions/unikernel/base/errno.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace uk::net {

namespace family {
inline constexpr std::uint16_t unspecified = 0, local = 1, inet = 2, inet6 = 10, netlink = 16;
}

// struct sockaddr of any family: `size` bytes count.
struct Address {
    static constexpr std::uint32_t most = 128; // struct sockaddr_storage
    std::uint32_t size = 0;
    std::array<std::byte, most> bytes;

    [[nodiscard]] std::uint16_t family() const; // unspecified where there are not even two bytes
    [[nodiscard]] std::span<const std::byte> view() const { return {bytes.data(), size}; }
    void set(std::span<const std::byte> from);
};

// An IPv4 address is its mapped form, ::ffff:a.b.c.d.
struct IpAddress {
    std::array<std::uint8_t, 16> octets{};

    [[nodiscard]] static constexpr IpAddress v4(std::uint32_t value) {
        return {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, static_cast<std::uint8_t>(value >> 24),
                 static_cast<std::uint8_t>(value >> 16), static_cast<std::uint8_t>(value >> 8),
                 static_cast<std::uint8_t>(value)}};
    }
    [[nodiscard]] bool is_v4() const;
    [[nodiscard]] std::uint32_t v4_value() const; // a.b.c.d, a the highest byte
    [[nodiscard]] bool any() const;               // :: or 0.0.0.0
    [[nodiscard]] bool loopback() const;          // ::1 or 127.0.0.0/8
    [[nodiscard]] bool multicast() const;
    [[nodiscard]] constexpr bool link_local() const {
        return octets[0] == 0xFE && octets[1] >> 6 == 2;
    } // IPv6's
    [[nodiscard]] bool operator==(const IpAddress&) const = default;
};
inline constexpr IpAddress any_v4 = IpAddress::v4(0), loopback_v4 = IpAddress::v4(0x7F000001), any_v6{},
                           loopback_v6{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}};

struct Endpoint {
    IpAddress address;
    std::uint16_t port = 0;
    [[nodiscard]] bool operator==(const Endpoint&) const = default;
};

inline constexpr std::uint32_t inet_bytes = 16, inet6_bytes = 28, least_inet6_bytes = 24;

// What a struct sockaddr_in or sockaddr_in6 names. Errors: inval (too short), afnosupport (neither).
[[nodiscard]] Result<Endpoint> decode(const Address& from);
// As a socket of `of_family` shows it.
void encode(const Endpoint& endpoint, std::uint16_t of_family, Address& to);

} // namespace uk::net
