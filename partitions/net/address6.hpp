// SPDX-License-Identifier: Apache-2.0
// partitions/net/address6.hpp - addresses of IPv6 as numbers, and those of IPv4 among them.
//
// Pure.
// Spec: RFC 4291 (which are what), RFC 5952 is not looked at here.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace net {

// The first octet is the highest byte of `high`. All zero: none.
struct Address6 {
    std::uint64_t high = 0, low = 0;
    [[nodiscard]] constexpr bool operator==(const Address6&) const = default;
    [[nodiscard]] constexpr bool none() const { return high == 0 && low == 0; }
};

inline constexpr std::size_t address6_bytes = 16;

// Of 16 bytes at least.
[[nodiscard]] constexpr Address6 read_address6(std::span<const std::byte> from) {
    Address6 out;
    for (std::size_t i = 0; i < 8; ++i) {
        out.high = out.high << 8 | static_cast<std::uint64_t>(from[i]);
        out.low = out.low << 8 | static_cast<std::uint64_t>(from[8 + i]);
    }
    return out;
}
constexpr void write_address6(const Address6& address, std::span<std::byte> to) {
    for (std::size_t i = 0; i < 8; ++i) {
        to[i] = static_cast<std::byte>(address.high >> (56 - 8 * i));
        to[8 + i] = static_cast<std::byte>(address.low >> (56 - 8 * i));
    }
}

// ::ffff:a.b.c.d: how an address of IPv4 stands among those of IPv6, in tables. In a packet nobody has it.
[[nodiscard]] constexpr Address6 mapped(std::uint32_t v4) {
    return {0, std::uint64_t{0xFFFF} << 32 | v4};
}
[[nodiscard]] constexpr bool is_mapped(const Address6& address) {
    return address.high == 0 && address.low >> 32 == 0xFFFF;
}

[[nodiscard]] constexpr std::uint32_t v4_of(const Address6& address) { // of a mapped one
    return static_cast<std::uint32_t>(address.low);
}

[[nodiscard]] constexpr bool is_group(const Address6& address) {
    return address.high >> 56 == 0xFF;
}
[[nodiscard]] constexpr bool is_link_local(const Address6& address) { // fe80::/10
    return address.high >> 54 == 0xFE80 >> 6;
}
// Whether one machine can have the address: no group, nothing of ::/64 (unspecified, loopback, IPv4's in any form).
[[nodiscard]] constexpr bool is_of_a_host(const Address6& address) {
    return address.high != 0 && !is_group(address);
}
// ff02::1:ffxx:xxxx, where who has `address` is asked for. RFC 4291 section 2.7.1.
[[nodiscard]] constexpr Address6 solicited_group(const Address6& address) {
    return {0xFF02'0000'0000'0000, 0x0000'0001'FF00'0000 | (address.low & 0xFF'FFFF)};
}

// `prefix`: bits, at most 128.
[[nodiscard]] constexpr bool is_within(const Address6& address, const Address6& network, unsigned prefix) {
    constexpr std::uint64_t all = ~std::uint64_t{0};
    const std::uint64_t high = prefix == 0 ? 0 : prefix >= 64 ? all : all << (64 - prefix);
    const std::uint64_t low = prefix <= 64 ? 0 : prefix >= 128 ? all : all << (128 - prefix);
    return ((address.high ^ network.high) & high) == 0 && ((address.low ^ network.low) & low) == 0;
}

// What one end has. A place that is all zero is free.
struct OwnAddresses6 {
    std::array<Address6, 4> all{};
    [[nodiscard]] constexpr bool has(const Address6& address) const {
        for (const Address6& one : all)
            if (one == address && !one.none())
                return true;
        return false;
    }
};

} // namespace net
