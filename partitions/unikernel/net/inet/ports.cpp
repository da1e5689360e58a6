// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/ports.cpp - addresses and ports: who may have which, and who is meant by one.
#include "partitions/unikernel/net/inet/inet.hpp"

#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/inet/far.hpp"

namespace uk::net::inet {

PortTable tcp_ports, udp_ports;

namespace {

constexpr std::uint16_t first_ephemeral = 32768, last_ephemeral = 60999; // ip_local_port_range
constexpr std::uint64_t time_wait_ns = 60'000'000'000;

bool overlap(const InetSocket& one, const InetSocket& other) {
    if (one.protocol != other.protocol) // UDP and UDP-Lite (RFC 3828) have ports of their own
        return false;
    if (!one.local.address.any() && !other.local.address.any())
        return one.local.address == other.local.address;
    return (one.covers_v4() && other.covers_v4()) || (one.covers_v6() && other.covers_v6());
}

// What is there already counts: the first of two bound sockets may listen.
bool may_share(const InetSocket& one, const InetSocket& there) {
    const bool nobody_listens = one.type != Type::stream || !there.listening;
    if (one.reuse_address && there.reuse_address && nobody_listens)
        return true;
    return one.reuse_port && there.reuse_port && one.user == there.user;
}

} // namespace

bool PortTable::port_in_use(std::uint16_t port) const {
    for (const InetSocket* socket = buckets_[port % bucket_count]; socket != nullptr;
         socket = socket->next_in_table)
        if (socket->local.port == port)
            return true;
    return false;
}

bool PortTable::conflicts(const InetSocket& socket) const {
    for (const InetSocket* other = buckets_[socket.local.port % bucket_count]; other != nullptr;
         other = other->next_in_table)
        if (other != &socket && other->local.port == socket.local.port && overlap(socket, *other) &&
            !may_share(socket, *other))
            return true;
    if (kept_ == nullptr)
        return false;
    const Kept& kept = (*kept_)[socket.local.port % bucket_count];
    if (kept.end.port != socket.local.port || kept.until <= monotonic_ns())
        return false;
    return (socket.local.address.any() || socket.local.address == kept.end.address) &&
           !(socket.reuse_address && kept.reuse_address);
}

void PortTable::enter(InetSocket& socket) {
    InetSocket*& first = buckets_[socket.local.port % bucket_count];
    socket.next_in_table = first;
    first = &socket;
    socket.in_table = true;
}

void PortTable::remove(InetSocket& socket) {
    if (!socket.in_table)
        return;
    InetSocket** link = &buckets_[socket.local.port % bucket_count];
    while (*link != &socket)
        link = &(*link)->next_in_table;
    *link = socket.next_in_table;
    socket.in_table = false;
}

Status PortTable::bind(InetSocket& socket, const IpAddress& address, std::uint16_t port) {
    const Endpoint before = socket.local;
    socket.local = {address, port};
    if (port != 0) {
        if (conflicts(socket)) {
            socket.local = before;
            return base::Failure{Errno::addrinuse};
        }
        enter(socket);
        return base::success;
    }
    constexpr std::uint32_t range = last_ephemeral - first_ephemeral + 1;
    std::uint32_t start = 0;
    fs::seam::random(std::as_writable_bytes(std::span{&start, 1}));
    for (std::uint32_t i = 0; i < range; ++i) {
        const auto candidate = static_cast<std::uint16_t>(first_ephemeral + (start + i) % range);
        socket.local.port = candidate;
        if (!port_in_use(candidate) && !conflicts(socket)) { // a port that is kept would refuse to listen
            enter(socket);
            return base::success;
        }
    }
    socket.local = before;
    return base::Failure{Errno::addrinuse};
}

void PortTable::keep_for_a_while(const InetSocket& socket) {
    if (kept_ == nullptr)
        kept_ = mm::make<std::array<Kept, bucket_count>>();
    if (kept_ == nullptr)
        return; // the port is free at once then
    (*kept_)[socket.local.port % bucket_count] = {socket.local, socket.reuse_address,
                                                  monotonic_ns() + time_wait_ns};
}

unsigned address_score(const InetSocket& socket, const IpAddress& to) {
    if (socket.local.address == to)
        return 3;
    if (!socket.local.address.any())
        return 0;
    if (to.is_v4())
        return socket.local.address == any_v4 ? 2 : socket.v6_only ? 0 : 1;
    return socket.local.address == any_v6 ? 2 : 0;
}

Status bind(Socket& base_socket, Caller& caller, const Address& address) {
    constexpr std::uint16_t first_unprivileged = 0; // as container engines set it
    InetSocket& socket = inet_of(base_socket);
    const std::uint32_t least = socket.is_v6() ? least_inet6_bytes : inet_bytes;
    if (address.size < least)
        return base::Failure{Errno::inval};
    Address given;
    given.set(address.view());
    if (!socket.is_v6() && address.family() == family::unspecified) { // old programs: any address
        const std::uint16_t inet_family = family::inet;
        std::memcpy(given.bytes.data(), &inet_family, sizeof(inet_family));
        if (!CAISSON_TRY(decode(given)).address.any())
            return base::Failure{Errno::afnosupport};
    }
    if (given.family() != socket.family)
        return base::Failure{Errno::afnosupport};
    const Endpoint end = CAISSON_TRY(decode(given));
    const bool may_receive_all = socket.type == Type::datagram && end.address.multicast();
    const bool foreign = !end.address.any() && !is_here(end.address) && !may_receive_all;
    if (socket.is_v6() && socket.v6_only && end.address.is_v4())
        return base::Failure{Errno::inval};
    if (foreign && socket.numbers[ip_free_bind] == 0 && socket.numbers[v6_free_bind] == 0)
        return base::Failure{Errno::addrnotavail};
    if (end.port != 0 && end.port < first_unprivileged && !caller.who.can(capability::bind_low_ports))
        return base::Failure{Errno::acces};
    if (socket.in_table)
        return base::Failure{Errno::inval};
    CAISSON_TRY(ports_of(socket).bind(socket, end.address, end.port));
    socket.address_chosen = !end.address.any();
    socket.v6_only |= socket.address_chosen && !end.address.is_v4();
    socket.port_chosen = end.port != 0;
    return base::success;
}

void show(const InetSocket& socket, const Endpoint& endpoint, Address& to) {
    encode(endpoint, socket.family, to);
}

Result<Endpoint> target_of(const InetSocket& socket, const Address& address) {
    if (address.size < (socket.is_v6() ? least_inet6_bytes : inet_bytes))
        return base::Failure{Errno::inval};
    if (address.family() != socket.family)
        return base::Failure{Errno::afnosupport};
    Endpoint end = CAISSON_TRY(decode(address));
    const bool has_v4 = socket.local.address.is_v4() && !socket.local.address.any();
    if (end.address.any())
        end.address = end.address.is_v4() && has_v4 ? socket.local.address
                      : end.address.is_v4() || (socket.address_chosen && socket.local.address.is_v4())
                          ? loopback_v4
                          : loopback_v6;
    const bool mixed = socket.address_chosen && socket.local.address.is_v4() != end.address.is_v4();
    if (has_v4 && !end.address.is_v4())
        return base::Failure{Errno::afnosupport};
    if (mixed || (socket.v6_only && end.address.is_v4()))
        return base::Failure{Errno::netunreach};
    if (is_here(end.address) || (socket.type == Type::datagram && end.address.multicast()))
        return end;
    if (far_network == nullptr || (!socket.local.address.any() && socket.local.address.loopback()))
        return base::Failure{Errno::netunreach};
    CAISSON_TRY(far_network->reach(socket.type == Type::stream ? level_tcp : level_udp, end));
    return end;
}

IpAddress source_for(const InetSocket& socket, const IpAddress& target) {
    if (!socket.local.address.any())
        return socket.local.address;
    if (!target.loopback() && !target.multicast() && far_network != nullptr)
        return far_network->source(target);
    return target.is_v4() ? loopback_v4 : loopback_v6;
}

Result<Socket*> make(Caller&, std::uint16_t of_family, Type type, int protocol) {
    if (protocol < 0 || protocol > 255 + 7)
        return base::Failure{Errno::inval};
    Socket* made = nullptr;
    switch (type) {
    case Type::stream:
        if (protocol != 0 && protocol != level_tcp)
            return base::Failure{Errno::protonosupport};
        made = CAISSON_TRY(make_tcp());
        made->protocol = level_tcp;
        break;
    case Type::datagram:
        if (protocol == 0)
            protocol = level_udp;
        if (protocol != level_udp && protocol != level_udplite)
            return base::Failure{Errno::protonosupport};
        made = CAISSON_TRY(make_udp());
        made->protocol = protocol;
        break;
    case Type::raw:
        return base::Failure{Errno::protonosupport};
    case Type::sequenced:
        return base::Failure{Errno::socktnosupport};
    default:
        return base::Failure{Errno::socktnosupport};
    }
    InetSocket& socket = inet_of(*made);
    socket.type = type;
    socket.family = of_family;
    socket.local.address = of_family == family::inet ? any_v4 : any_v6;
    set_defaults(socket);
    return made;
}

} // namespace uk::net::inet
