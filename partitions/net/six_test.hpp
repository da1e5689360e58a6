// SPDX-License-Identifier: Apache-2.0
// partitions/net/six_test.hpp - for tests: packets of IPv6.
#pragma once

#include "partitions/net/checksum.hpp"
#include "partitions/net/words_test.hpp"

namespace net::test {

inline constexpr std::uint64_t documentation = 0x2001'0DB8'0000'0000; // 2001:db8::/64
inline constexpr Address6 own6{documentation, 0x10}, client6{documentation, 0x20},
    router6{0xFE80ull << 48, 1}, far6{documentation + 0x2'0000, 7};
inline constexpr Address6 all_nodes{0xFF02ull << 48, 1};

inline Bytes ip6(std::uint8_t next, const Address6& source, const Address6& target, std::size_t payload,
                 std::uint8_t hops = 64) {
    Bytes out(ip6_header + payload);
    put(out, 0, 0x60, 1);
    put(out, 4, static_cast<std::uint32_t>(payload), 2);
    put(out, 6, next, 1);
    put(out, 7, hops, 1);
    write_address6(source, std::span{out}.subspan(8));
    write_address6(target, std::span{out}.subspan(24));
    return out;
}
inline Bytes tcp6(const Address6& source, std::uint16_t from, const Address6& target, std::uint16_t to,
                  std::uint8_t flags) {
    Bytes out = ip6(protocol::tcp, source, target, tcp_header + 5);
    put(out, 40, from, 2);
    put(out, 42, to, 2);
    put(out, 52, 0x50, 1);
    put(out, 53, flags, 1);
    make_sums(out);
    return out;
}
inline Bytes udp6(const Address6& source, std::uint16_t from, const Address6& target, std::uint16_t to) {
    Bytes out = ip6(protocol::udp, source, target, udp_header + 3);
    put(out, 40, from, 2);
    put(out, 42, to, 2);
    put(out, 44, udp_header + 3, 2);
    make_sums(out);
    return out;
}
// Of ICMPv6: type, code, then `body` from the fifth byte.
inline Bytes icmp6(const Address6& source, const Address6& target, std::uint8_t type, const Bytes& body,
                   std::uint8_t hops = 255, std::uint8_t code = 0) {
    Bytes out = ip6(protocol::icmp6, source, target, 4 + body.size(), hops);
    put(out, 40, type, 1);
    put(out, 41, code, 1);
    std::copy(body.begin(), body.end(), out.begin() + 44);
    make_sums(out);
    return out;
}
// Of a neighbour's solicitation or advertisement: flags, the address, an option with a station's address where `option` is not 0.
inline Bytes about_neighbour(const Address6& address, std::uint8_t flags = 0, std::uint8_t option = 0) {
    Bytes out(option == 0 ? 20 : 28);
    put(out, 0, flags, 1);
    write_address6(address, std::span{out}.subspan(4));
    if (option != 0) {
        put(out, 20, option << 8 | 1, 2);
        put(out, 22, 0x0200'0000, 4);
        put(out, 26, 2, 2);
    }
    return out;
}
// `packet` with a header of `bytes` (whose first byte will say what follows) in front of its transport.
inline Bytes with_extension(const Bytes& packet, std::uint8_t kind, Bytes header) {
    header[0] = packet[6];
    Bytes out = packet;
    out[6] = std::byte{kind};
    out.insert(out.begin() + ip6_header, header.begin(), header.end());
    put(out, 4, static_cast<std::uint32_t>(out.size() - ip6_header), 2);
    return out;
}

} // namespace net::test
