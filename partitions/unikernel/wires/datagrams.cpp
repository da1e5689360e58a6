// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/datagrams.cpp - UDP and ICMP over wires: our own, for there is hardly anything to them.
// Spec: RFC 791, RFC 768, RFC 792, RFC 1122 section 3.2.2; RFC 8200, RFC 4443.
#include "partitions/unikernel/wires/stack.hpp"

#include <algorithm>
#include <cstring>

namespace uk::wires {

namespace {

using net::Endpoint;
using net::IpAddress;

constexpr std::uint8_t port_unreachable = 3, port_unreachable6 = 4; // codes of ICMP and ICMPv6

std::size_t header_to(const IpAddress& address) {
    return address.is_v4() ? ::net::ip_header : ::net::ip6_header;
}

void put16(std::span<std::byte> to, std::size_t at, std::uint32_t value) {
    to[at] = static_cast<std::byte>(value >> 8);
    to[at + 1] = static_cast<std::byte>(value);
}
void put32(std::span<std::byte> to, std::size_t at, std::uint32_t value) {
    put16(to, at, value >> 16);
    put16(to, at + 2, value);
}

struct Datagram {
    Endpoint from, to;
    fs::Origin& bytes;
};

Status write_datagram(void* context, std::span<std::byte> to) {
    auto& datagram = *static_cast<Datagram*>(context);
    begin_packet(to, ::net::protocol::udp, datagram.from.address, datagram.to.address);
    const std::span<std::byte> out = to.subspan(header_to(datagram.to.address));
    put16(out, 0, datagram.from.port);
    put16(out, 2, datagram.to.port);
    put16(out, 4, static_cast<std::uint32_t>(out.size()));
    put16(out, 6, 0);
    return datagram.bytes.take(out.subspan(::net::udp_header));
}

// A message about `packet`, or an answer to it, of the same partition.
struct Message {
    IpAddress source, target;
    std::span<const std::byte> body; // behind the ICMP header's first 4 bytes
    std::uint8_t type, code;
};

Status write_message(void* context, std::span<std::byte> to) {
    const auto& message = *static_cast<Message*>(context);
    const std::size_t header = header_to(message.target);
    begin_packet(to, header == ::net::ip_header ? ::net::protocol::icmp : ::net::protocol::icmp6,
                 message.source, message.target);
    std::memset(to.data() + header, 0, ::net::icmp_header);
    to[header] = std::byte{message.type};
    to[header + 1] = std::byte{message.code};
    const std::size_t at = to.size() - message.body.size();
    std::memcpy(to.data() + at, message.body.data(), message.body.size());
    return base::success;
}

} // namespace

void begin_packet(std::span<std::byte> to, std::uint8_t protocol, const IpAddress& source,
                  const IpAddress& target) {
    constexpr std::uint32_t version_and_size = 0x4500, do_not_fragment = 0x4000, hops = 64,
                            version_6 = 0x6000;
    if (!target.is_v4()) {
        put32(to, 0, version_6 << 16);
        put16(to, 4, static_cast<std::uint32_t>(to.size() - ::net::ip6_header));
        put16(to, 6, std::uint32_t{protocol} << 8 | hops);
        std::memcpy(to.data() + 8, source.octets.data(), source.octets.size());
        std::memcpy(to.data() + 24, target.octets.data(), target.octets.size());
        return;
    }
    put16(to, 0, version_and_size);
    put16(to, 2, static_cast<std::uint32_t>(to.size()));
    put16(to, 4, 0);
    put16(to, 6, do_not_fragment);
    put16(to, 8, hops << 8 | protocol);
    put16(to, 10, 0);
    put32(to, 12, source.v4_value());
    put32(to, 16, target.v4_value());
}

Status send_datagram(const Endpoint& from, const Endpoint& to, fs::Origin& bytes) {
    const bool v4 = to.address.is_v4();
    const std::uint64_t size = header_to(to.address) + ::net::udp_header + bytes.left();
    if (size > (!v4 ? station::mtu6 : stack().is_inside(to.address.v4_value()) ? mtu : outside_mtu))
        return base::Failure{Errno::msgsize};
    CAISSON_TRY(network.reach(::net::protocol::udp, to));
    Datagram datagram{from, to, bytes};
    const std::uint64_t before = bytes.done();
    const Status sent =
        transmit(peer_at(to.address), static_cast<std::uint32_t>(size), &write_datagram, &datagram);
    ring_touched();
    if (sent.ok() || sent.error() != Errno::nobufs)
        return sent;
    bytes.back_to(before);
    bytes.skip(bytes.left()); // lost, as datagrams are
    return base::success;
}

void receive_datagram(std::uint8_t peer, const ::net::Packet& packet, std::span<const std::byte> bytes) {
    const Endpoint from{address_of(packet.from()), packet.source_port},
        to{address_of(packet.to()), packet.target_port};
    const std::size_t header = header_of(packet);
    const std::span<const std::byte> payload = bytes.subspan(header + ::net::udp_header);
    bool nobody = false;
    if (!packet.v6 && stack().is_outside(peer) && take_time_of_day(packet, payload))
        return;
    net::inet::far_datagram(from, to, payload, nobody);
    if (!nobody || (!stack().is_outside(peer) && stack().link_to(peer).end.send == nullptr))
        return;
    Message message{to.address, from.address, bytes.first(header + ::net::udp_header),
                    packet.v6 ? ::net::icmp6_type::unreachable : ::net::icmp_type::unreachable,
                    packet.v6 ? port_unreachable6 : port_unreachable};
    (void)transmit(peer, static_cast<std::uint32_t>(header + ::net::icmp_header + message.body.size()),
                   &write_message, &message); // it may be lost
}

void receive_message(std::uint8_t peer, const ::net::Packet& packet, std::span<std::byte> bytes) {
    if (packet.type == (packet.v6 ? ::net::icmp6_type::echo : ::net::icmp_type::echo)) {
        Message message{address_of(packet.to()), address_of(packet.from()),
                        bytes.subspan(header_of(packet) + 4),
                        packet.v6 ? ::net::icmp6_type::echo_reply : ::net::icmp_type::echo_reply, 0};
        (void)transmit(peer, static_cast<std::uint32_t>(bytes.size()), &write_message, &message);
        return;
    }
    const bool nobody =
        packet.v6 ? packet.type == ::net::icmp6_type::unreachable && packet.code == port_unreachable6
                  : packet.code == port_unreachable;
    if (packet.about.protocol != ::net::protocol::udp || !nobody)
        return;
    net::inet::far_unreachable({address_of(packet.about_from()), packet.about.source_port},
                               {address_of(packet.about_to()), packet.about.target_port}, Errno::connrefused);
}

} // namespace uk::wires
