// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/udp.cpp - datagrams.
// Spec: RFC 768, udp(7).
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/inet/far.hpp"

namespace uk::net::inet {

namespace {

struct UdpSocket : InetSocket {
    PacketQueue packets;
};
UdpSocket& udp_of(Socket& socket) {
    return static_cast<UdpSocket&>(socket);
}

constexpr std::uint32_t broadcast_lo = 0x7FFFFFFF;

// Whom a datagram reaches: a connected socket only from its peer, and then before the others.
UdpSocket* receiver_of(const Endpoint& to, const Endpoint& from, int protocol) {
    InetSocket* found = udp_ports.best(to, from.port, [&](const InetSocket& socket) -> unsigned {
        const unsigned score = socket.protocol == protocol ? address_score(socket, to.address) : 0;
        if (score == 0 || socket.remote.port == 0)
            return score;
        return socket.remote == from ? score + 4 : 0;
    });
    return static_cast<UdpSocket*>(found);
}

Status ensure_bound(UdpSocket& socket) {
    if (socket.in_table)
        return base::success;
    const Status bound = udp_ports.bind(socket, socket.local.address, 0);
    return bound.ok() ? bound : base::Failure{Errno::again};
}

void disconnect(UdpSocket& socket) {
    socket.remote = {};
    if (!socket.address_chosen)
        socket.local.address = socket.is_v6() ? any_v6 : any_v4;
    if (!socket.port_chosen) {
        udp_ports.remove(socket);
        socket.local.port = 0;
    }
}

// A socket of IPv6 takes addresses of IPv4.
Address mapped(const UdpSocket& socket, const Address& address) {
    if (socket.is_v6() && !socket.v6_only && address.family() == family::inet)
        if (const auto end = decode(address); end.ok()) {
            Address out;
            encode(*end, family::inet6, out);
            return out;
        }
    return address;
}

Status connect(Socket& base_socket, Caller&, const Address& address, bool, WaitQueue*&) {
    UdpSocket& socket = udp_of(base_socket);
    if (address.size < sizeof(std::uint16_t))
        return base::Failure{Errno::inval};
    if (address.family() == family::unspecified) {
        disconnect(socket);
        return base::success;
    }
    if (socket.v6_only && address.family() == family::inet)
        return base::Failure{Errno::afnosupport};
    const Endpoint to = CAISSON_TRY(target_of(socket, mapped(socket, address)));
    CAISSON_TRY(ensure_bound(socket));
    socket.local.address = source_for(socket, to.address);
    socket.remote = to;
    return base::success;
}

bool is_broadcast(const IpAddress& address) {
    return address.is_v4() && address.v4_value() == broadcast_lo;
}

Result<Endpoint> destination_of(UdpSocket& socket, const Outgoing& out) {
    const bool none = out.to == nullptr || (socket.is_v6() && out.to->size >= inet_bytes &&
                                            out.to->family() == family::unspecified);
    if (none)
        return socket.remote.port != 0 ? Result<Endpoint>{socket.remote} : base::Failure{Errno::destaddrreq};
    Address given;
    given.set(out.to->view());
    // Linux: no family is the socket's own.
    const std::uint16_t inet_family = family::inet;
    if (!socket.is_v6() && given.size >= inet_bytes && given.family() == family::unspecified)
        std::memcpy(given.bytes.data(), &inet_family, sizeof(inet_family));
    if (socket.v6_only && given.family() == family::inet)
        return base::Failure{Errno::netunreach};
    given = mapped(socket, given);
    if (given.size < (socket.is_v6() ? least_inet6_bytes : inet_bytes))
        return base::Failure{Errno::inval};
    if (given.family() != socket.family)
        return base::Failure{Errno::afnosupport};
    const Endpoint raw = CAISSON_TRY(decode(given));
    if (raw.port == 0)
        return base::Failure{Errno::inval};
    if (is_broadcast(raw.address) && !socket.broadcast)
        return base::Failure{Errno::acces};
    return target_of(socket, given);
}

// Nobody is at `to`: a connected socket hears it of its peer alone.
void report_unreachable(UdpSocket& socket, const Endpoint& to, Errno error = Errno::connrefused) {
    const bool wants = socket.remote.port != 0
                           ? socket.remote == to
                           : socket.numbers[to.address.is_v4() ? ip_receive_errors : v6_receive_errors] != 0;
    if (!wants)
        return;
    socket.error = error;
    socket.changed.wake(in_events | out_events | fs::ready::error);
}

// Into the receiver's queue; lost, as datagrams are, where that is full.
Status put(UdpSocket& receiver, const Endpoint& source, const Endpoint& to, fs::Origin& from,
           std::uint8_t hop_limit = 64, std::uint8_t traffic_class = 0) {
    OwnedPacket packet = CAISSON_TRY(make_packet(from));
    if (receiver.packets.charged() + packet->charge > receiver.receive_buffer)
        return base::success;
    packet->from = source;
    packet->to = to;
    packet->hop_limit = hop_limit;
    packet->traffic_class = traffic_class;
    packet->arrived = receiver.timestamp || receiver.timestamp_ns ? realtime_ns() : 0;
    receiver.packets.add(std::move(packet));
    receiver.changed.wake(in_events);
    return base::success;
}

// What the message says, else the socket, else what is usual: -1 says nothing.
std::uint8_t told(std::int32_t message, std::int32_t socket, std::uint8_t usual) {
    const std::int32_t said = message >= 0 ? message : socket;
    return said >= 0 ? static_cast<std::uint8_t>(said) : usual;
}

Result<std::uint64_t> send(Socket& base_socket, fs::Origin& from, Outgoing& out) {
    UdpSocket& socket = udp_of(base_socket);
    constexpr std::uint64_t most_v4 = 65507, most_v6 = 65527, most_at_all = 0xFFFF;
    CAISSON_TRY(ensure_bound(socket));
    if (from.left() > most_at_all)
        return base::Failure{Errno::msgsize};
    const bool urgent = (out.flags & message::out_of_band) != 0; // IPv6 takes no notice
    if (urgent && !socket.is_v6())
        return base::Failure{Errno::opnotsupp};
    const Endpoint to = CAISSON_TRY(destination_of(socket, out));
    if (urgent && to.address.is_v4())
        return base::Failure{Errno::opnotsupp};
    if (from.left() > (to.address.is_v4() ? most_v4 : most_v6))
        return base::Failure{Errno::msgsize};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    if (!socket.may_send())
        return base::Failure{Errno::pipe};
    const Endpoint source{source_for(socket, to.address), socket.local.port};
    if (!is_here(to.address) && !to.address.multicast()) {
        const std::uint64_t all = from.left();
        if (socket.protocol != level_udp)
            return base::Failure{Errno::netunreach};
        CAISSON_TRY(far_network->send_datagram(source, to, from));
        return all;
    }
    UdpSocket* receiver = receiver_of(to, source, socket.protocol);
    const std::uint64_t bytes = from.left();
    if (receiver == nullptr) {
        from.skip(bytes);
        if (!to.address.multicast())
            report_unreachable(socket, to);
        return bytes;
    }
    CAISSON_TRY(put(*receiver, source, to, from, told(out.hop_limit, socket.numbers[v6_unicast_hops], 64),
                    told(out.traffic_class, socket.numbers[v6_class], 0)));
    return bytes;
}

Result<std::uint64_t> receive(Socket& base_socket, fs::Destination& to, Incoming& in) {
    UdpSocket& socket = udp_of(base_socket);
    if ((in.flags & message::error_queue) != 0)
        return base::Failure{Errno::again};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    Packet* packet = socket.packets.first();
    if (packet == nullptr) {
        const bool ended = !socket.may_receive() && (in.flags & message::dont_wait) == 0;
        return ended ? Result<std::uint64_t>{std::uint64_t{0}} : base::Failure{Errno::again};
    }
    const bool peek = (in.flags & message::peek) != 0;
    const std::uint64_t went = CAISSON_TRY(read_packet(*packet, to, peek));
    in.whole = packet->bytes;
    in.told |= went < packet->bytes ? message::truncated : 0;
    show(socket, packet->from, in.from);
    in.arrived = packet->arrived;
    in.has_target = true;
    in.target = packet->to;
    in.hop_limit = packet->hop_limit;
    in.traffic_class = packet->traffic_class;
    if (!peek)
        socket.packets.take().reset();
    return went;
}

Status shut_down(Socket& base_socket, unsigned how) {
    UdpSocket& socket = udp_of(base_socket);
    socket.shut |= static_cast<std::uint8_t>(how);
    socket.changed.wake(in_events | out_events | end_events);
    return socket.remote.port != 0 ? Status{base::success} : base::Failure{Errno::notconn};
}

Status name_of(Socket& base_socket, End which, Address& to) {
    UdpSocket& socket = udp_of(base_socket);
    const bool of_peer = which != End::own;
    if (of_peer && socket.remote.port == 0)
        return base::Failure{Errno::notconn};
    show(socket, of_peer ? socket.remote : socket.local, to);
    return base::success;
}

std::uint32_t readiness(Socket& base_socket) {
    UdpSocket& socket = udp_of(base_socket);
    std::uint32_t events = out_events;
    events |= socket.error != Errno{} ? fs::ready::error : 0;
    if (socket.shut == shut_both)
        events |= fs::ready::hang_up;
    if (!socket.may_receive())
        events |= in_events | fs::ready::read_hang_up;
    if (!socket.packets.empty())
        events |= in_events;
    return events;
}

Result<std::uint64_t> control(Socket& base_socket, std::uint32_t request) {
    constexpr std::uint32_t bytes_unsent = 0x5411; // SIOCOUTQ
    UdpSocket& socket = udp_of(base_socket);
    if (request == fs::control::bytes_waiting)
        return socket.packets.empty() ? 0 : socket.packets.first()->bytes;
    if (request == bytes_unsent)
        return std::uint64_t{0};
    return base::Failure{Errno::notty};
}

Status listen(Socket&, Caller&, int) {
    return base::Failure{Errno::opnotsupp};
}

Result<Socket*> accept(Socket&) {
    return base::Failure{Errno::opnotsupp};
}

Status set_udp_option(Socket& socket, Caller& caller, int level, int name, std::span<const std::byte> value) {
    return set_number_option(inet_of(socket), caller, level, name, value);
}

Result<std::uint32_t> get_udp_option(Socket& socket, int level, int name, std::span<std::byte> to) {
    return get_number_option(inet_of(socket), level, name, to);
}

void release(Socket& base_socket) {
    UdpSocket& socket = udp_of(base_socket);
    udp_ports.remove(socket);
    mm::destroy(&socket);
}

const SocketKind udp_kind{.bind = bind,
                          .connect = connect,
                          .listen = listen,
                          .accept = accept,
                          .send = send,
                          .receive = receive,
                          .shut_down = shut_down,
                          .name = name_of,
                          .set_option = set_udp_option,
                          .get_option = get_udp_option,
                          .control = control,
                          .readiness = readiness,
                          .release = release};

} // namespace

void far_datagram(const Endpoint& from, const Endpoint& to, std::span<const std::byte> bytes, bool& nobody) {
    UdpSocket* receiver = receiver_of(to, from, level_udp);
    nobody = receiver == nullptr;
    if (nobody)
        return;
    fs::Origin origin{bytes};
    (void)put(*receiver, from, to, origin); // without memory it is lost
}

void far_unreachable(const Endpoint& from, const Endpoint& to, Errno error) {
    if (UdpSocket* socket = receiver_of(from, to, level_udp); socket != nullptr)
        report_unreachable(*socket, to, error);
}

Result<Socket*> make_udp() {
    auto* socket = mm::make<UdpSocket>();
    if (socket == nullptr)
        return base::Failure{Errno::nobufs};
    socket->kind = &udp_kind;
    socket->type = Type::datagram;
    return socket;
}

} // namespace uk::net::inet
