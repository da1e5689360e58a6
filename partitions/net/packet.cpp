// SPDX-License-Identifier: Apache-2.0
// partitions/net/packet.cpp - see packet.hpp.
#include "partitions/net/packet.hpp"

namespace net {

namespace {

using Bytes = std::span<const std::byte>;

std::uint8_t at8(Bytes bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}
std::uint16_t at16(Bytes bytes, std::size_t at) {
    return static_cast<std::uint16_t>(at8(bytes, at) << 8 | at8(bytes, at + 1));
}
std::uint32_t at32(Bytes bytes, std::size_t at) {
    return std::uint32_t{at16(bytes, at)} << 16 | at16(bytes, at + 2);
}

constexpr std::uint8_t version_4_no_options = 0x45;
constexpr std::uint16_t fragment_bits = 0xBFFF; // all but "do not fragment"

// The packet that an ICMP error quotes: its header and the first 8 bytes behind it.
bool parse_quoted(Bytes bytes, Packet::About& out) {
    if (bytes.size() < ip_header + 8 || at8(bytes, 0) != version_4_no_options)
        return false;
    out.source = at32(bytes, 12);
    out.target = at32(bytes, 16);
    out.source_port = at16(bytes, ip_header);
    out.target_port = at16(bytes, ip_header + 2);
    out.protocol = at8(bytes, 9);
    return out.protocol == protocol::tcp || out.protocol == protocol::udp;
}

Verdict parse_icmp(Bytes bytes, Packet& out) {
    if (bytes.size() < icmp_header)
        return Verdict::malformed;
    out.type = at8(bytes, 0);
    out.code = at8(bytes, 1);
    if (out.type == icmp_type::echo || out.type == icmp_type::echo_reply) {
        out.source_port = out.target_port = at16(bytes, 4);
        return Verdict::pass;
    }
    if (out.type == icmp_type::unreachable)
        return parse_quoted(bytes.subspan(icmp_header), out.about) ? Verdict::pass : Verdict::malformed;
    return Verdict::protocol;
}

// TCP or UDP behind an IP header.
Verdict parse_transport(Bytes rest, Packet& out) {
    if (out.protocol == protocol::tcp) {
        if (rest.size() < tcp_header)
            return Verdict::malformed;
        const std::size_t header = std::size_t{at8(rest, 12)} >> 4 << 2;
        if (header < tcp_header || header > rest.size())
            return Verdict::malformed;
        out.flags = at8(rest, 13);
    } else if (rest.size() < udp_header || at16(rest, 4) != rest.size()) {
        return Verdict::malformed;
    }
    out.source_port = at16(rest, 0);
    out.target_port = at16(rest, 2);
    return Verdict::pass;
}

// As parse_quoted. This end sends no extension headers: what is quoted with any is nothing of its.
bool parse_quoted6(Bytes bytes, Packet::About& out) {
    if (bytes.size() < ip6_header + 8 || !is_version_6(bytes))
        return false;
    out.source6 = read_address6(bytes.subspan(8));
    out.target6 = read_address6(bytes.subspan(24));
    out.source_port = at16(bytes, ip6_header);
    out.target_port = at16(bytes, ip6_header + 2);
    out.protocol = at8(bytes, 6);
    return out.protocol == protocol::tcp || out.protocol == protocol::udp;
}

Verdict parse_icmp6(Bytes bytes, Packet& out) {
    if (bytes.size() < icmp_header)
        return Verdict::malformed;
    out.type = at8(bytes, 0);
    out.code = at8(bytes, 1);
    if (out.type == icmp6_type::echo || out.type == icmp6_type::echo_reply) {
        out.source_port = out.target_port = at16(bytes, 4);
        return Verdict::pass;
    }
    if (out.type >= icmp6_type::unreachable && out.type <= icmp6_type::last_error)
        return parse_quoted6(bytes.subspan(icmp_header), out.about) ? Verdict::pass : Verdict::malformed;
    return Verdict::protocol;
}

} // namespace

Verdict parse(Bytes bytes, Packet& out) {
    out = {};
    if (bytes.size() < ip_header || at8(bytes, 0) != version_4_no_options || at16(bytes, 2) != bytes.size())
        return Verdict::malformed;
    if ((at16(bytes, 6) & fragment_bits) != 0)
        return Verdict::fragment;
    out.protocol = at8(bytes, 9);
    out.source = at32(bytes, 12);
    out.target = at32(bytes, 16);
    const Bytes rest = bytes.subspan(ip_header);
    switch (out.protocol) {
    case protocol::tcp:
    case protocol::udp:
        return parse_transport(rest, out);
    case protocol::icmp:
        return parse_icmp(rest, out);
    default:
        return Verdict::protocol;
    }
}

Verdict parse6(Bytes bytes, Packet& out) {
    constexpr std::uint8_t fragment = 44;
    out = {};
    if (bytes.size() < ip6_header || !is_version_6(bytes) || at16(bytes, 4) != bytes.size() - ip6_header)
        return Verdict::malformed;
    out.v6 = true;
    out.protocol = at8(bytes, 6);
    out.source6 = read_address6(bytes.subspan(8));
    out.target6 = read_address6(bytes.subspan(24));
    const Bytes rest = bytes.subspan(ip6_header);
    switch (out.protocol) {
    case protocol::tcp:
    case protocol::udp:
        return parse_transport(rest, out);
    case protocol::icmp6:
        return parse_icmp6(rest, out);
    case fragment:
        return Verdict::fragment;
    default:
        return Verdict::protocol;
    }
}

} // namespace net
