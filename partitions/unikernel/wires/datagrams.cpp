// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/datagrams.cpp - UDP and ICMP over wires: our own, for there is hardly anything to them.
// Spec: RFC 791, RFC 768, RFC 792, RFC 1122 section 3.2.2.
#include "partitions/unikernel/wires/stack.hpp"

#include <algorithm>
#include <cstring>

namespace uk::wires {

namespace {

using net::Endpoint;
using net::IpAddress;

constexpr std::uint8_t port_unreachable = 3; // code of ICMP

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
    begin_packet(to, ::net::protocol::udp, datagram.from.address.v4_value(), datagram.to.address.v4_value());
    put16(to, ::net::ip_header, datagram.from.port);
    put16(to, ::net::ip_header + 2, datagram.to.port);
    put16(to, ::net::ip_header + 4, static_cast<std::uint32_t>(to.size() - ::net::ip_header));
    put16(to, ::net::ip_header + 6, 0);
    return datagram.bytes.take(to.subspan(::net::ip_header + ::net::udp_header));
}

// A message about `packet`, or an answer to it, of the same partition.
struct Message {
    std::uint32_t source, target;
    std::span<const std::byte> body; // behind the ICMP header's first 4 bytes
    std::uint8_t type, code;
};

Status write_message(void* context, std::span<std::byte> to) {
    const auto& message = *static_cast<Message*>(context);
    begin_packet(to, ::net::protocol::icmp, message.source, message.target);
    std::memset(to.data() + ::net::ip_header, 0, ::net::icmp_header);
    to[::net::ip_header] = std::byte{message.type};
    to[::net::ip_header + 1] = std::byte{message.code};
    const std::size_t at = to.size() - message.body.size();
    std::memcpy(to.data() + at, message.body.data(), message.body.size());
    return base::success;
}

} // namespace

void begin_packet(std::span<std::byte> to, std::uint8_t protocol, std::uint32_t source,
                  std::uint32_t target) {
    constexpr std::uint32_t version_and_size = 0x4500, do_not_fragment = 0x4000, hops = 64;
    put16(to, 0, version_and_size);
    put16(to, 2, static_cast<std::uint32_t>(to.size()));
    put16(to, 4, 0);
    put16(to, 6, do_not_fragment);
    put16(to, 8, hops << 8 | protocol);
    put16(to, 10, 0);
    put32(to, 12, source);
    put32(to, 16, target);
}

Status send_datagram(const Endpoint& from, const Endpoint& to, fs::Origin& bytes) {
    const std::uint64_t size = ::net::ip_header + ::net::udp_header + bytes.left();
    if (size > (stack().is_inside(to.address.v4_value()) ? mtu : outside_mtu))
        return base::Failure{Errno::msgsize};
    CAISSON_TRY(network.reach(::net::protocol::udp, to));
    Datagram datagram{from, to, bytes};
    const std::uint64_t before = bytes.done();
    const Status sent = transmit(peer_at(to.address.v4_value()), static_cast<std::uint32_t>(size),
                                 &write_datagram, &datagram);
    ring_touched();
    if (sent.ok() || sent.error() != Errno::nobufs)
        return sent;
    bytes.back_to(before);
    bytes.skip(bytes.left()); // lost, as datagrams are
    return base::success;
}

void receive_datagram(std::uint8_t peer, const ::net::Packet& packet, std::span<const std::byte> bytes) {
    const Endpoint from{IpAddress::v4(packet.source), packet.source_port},
        to{IpAddress::v4(packet.target), packet.target_port};
    const std::span<const std::byte> payload = bytes.subspan(::net::ip_header + ::net::udp_header);
    bool nobody = false;
    if (stack().is_outside(peer) && take_time_of_day(packet, payload))
        return;
    net::inet::far_datagram(from, to, payload, nobody);
    if (!nobody || (!stack().is_outside(peer) && stack().link_to(peer).end.send == nullptr))
        return;
    Message message{packet.target, packet.source, bytes.first(::net::ip_header + ::net::udp_header),
                    ::net::icmp_type::unreachable, port_unreachable};
    (void)transmit(peer,
                   static_cast<std::uint32_t>(::net::ip_header + ::net::icmp_header + message.body.size()),
                   &write_message, &message); // it may be lost
}

void receive_message(std::uint8_t peer, const ::net::Packet& packet, std::span<std::byte> bytes) {
    if (packet.type == ::net::icmp_type::echo) {
        Message message{packet.target, packet.source, bytes.subspan(::net::ip_header + 4),
                        ::net::icmp_type::echo_reply, 0};
        (void)transmit(peer, static_cast<std::uint32_t>(bytes.size()), &write_message, &message);
        return;
    }
    if (packet.about.protocol != ::net::protocol::udp || packet.code != port_unreachable)
        return;
    net::inet::far_unreachable({IpAddress::v4(packet.about.source), packet.about.source_port},
                               {IpAddress::v4(packet.about.target), packet.about.target_port},
                               Errno::connrefused);
}

} // namespace uk::wires
