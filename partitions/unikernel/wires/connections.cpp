// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/connections.cpp - the kernel's TCP sockets over lwIP's connections.
//
// A socket's `far` is its connection, whose argument is the socket; each is taken from the other before either goes. A connection
// that both ends have finished goes on without a socket until lwIP is done with it.
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/wires/stack.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include <lwip/priv/tcp_priv.h>
#include <lwip/tcp.h>

namespace uk::wires {

namespace {

using net::Endpoint;
using net::IpAddress;
using net::inet::TcpSocket;
using net::inet::TcpState;

tcp_pcb* connection_of(const TcpSocket& socket) {
    return static_cast<tcp_pcb*>(socket.far);
}
ip_addr_t lwip_address(const IpAddress& address) {
    ip_addr_t out{};
    if (address.is_v4()) {
        IP_SET_TYPE_VAL(out, IPADDR_TYPE_V4);
        ip_2_ip4(&out)->addr = lwip_htonl(address.v4_value());
    } else {
        IP_SET_TYPE_VAL(out, IPADDR_TYPE_V6);
        std::memcpy(ip_2_ip6(&out)->addr, address.octets.data(), address.octets.size());
    }
    return out;
}
IpAddress address_of(const ip_addr_t& address) {
    if (!IP_IS_V6_VAL(address))
        return IpAddress::v4(lwip_ntohl(ip_2_ip4(&address)->addr));
    IpAddress out;
    std::memcpy(out.octets.data(), ip_2_ip6(&address)->addr, out.octets.size());
    return out;
}
Endpoint endpoint(const ip_addr_t& address, std::uint16_t port) {
    return {address_of(address), port};
}

// What is sent of IPv6 is smaller than what a card carries (station::mtu6): nothing has been sent but the first segment.
void limit_segments(tcp_pcb* connection) {
    constexpr u16_t most = station::mtu6 - ::net::ip6_header - ::net::tcp_header;
    if (IP_IS_V6_VAL(connection->remote_ip))
        connection->mss = std::min(connection->mss, most);
}

Errno abort_reason{}; // why reset_connections() ends some; 0: lwIP gave up

// ---- What lwIP tells

void detach(tcp_pcb* connection) {
    tcp_arg(connection, nullptr);
    tcp_recv(connection, nullptr);
    tcp_sent(connection, nullptr);
    tcp_err(connection, nullptr);
}

err_t on_receive(void* argument, tcp_pcb* connection, pbuf* data, err_t) {
    auto& socket = *static_cast<TcpSocket*>(argument);
    if (data == nullptr) {
        if (net::inet::far_finished(socket))
            detach(connection);
        return ERR_OK;
    }
    bool taken = true;
    for (const pbuf* part = data; part != nullptr && taken; part = part->next)
        taken = net::inet::far_received(socket, {static_cast<const std::byte*>(part->payload), part->len});
    pbuf_free(data);
    if (taken)
        return ERR_OK;
    detach(connection);
    net::inet::far_failed(socket, Errno::nobufs);
    tcp_abort(connection);
    return ERR_ABRT;
}

err_t on_sent(void* argument, tcp_pcb*, u16_t) {
    net::inet::far_has_room(*static_cast<TcpSocket*>(argument));
    return ERR_OK;
}

// The connection is gone already.
void on_error(void* argument, err_t error) {
    if (argument == nullptr)
        return;
    auto& socket = *static_cast<TcpSocket*>(argument);
    Errno told = abort_reason != Errno{} ? abort_reason : Errno::timedout;
    if (error == ERR_RST)
        told = socket.state == TcpState::syn_sent ? Errno::connrefused : Errno::connreset;
    net::inet::far_failed(socket, told);
}

err_t on_connected(void* argument, tcp_pcb* connection, err_t) {
    limit_segments(connection);
    net::inet::far_connected(*static_cast<TcpSocket*>(argument));
    return ERR_OK;
}

void take_options(TcpSocket& socket) {
    using namespace net::inet;
    tcp_pcb* connection = connection_of(socket);
    if (socket.numbers[tcp_no_delay] != 0)
        tcp_nagle_disable(connection);
    else
        tcp_nagle_enable(connection);
    if (socket.keep_alive)
        ip_set_option(connection, SOF_KEEPALIVE);
    else
        ip_reset_option(connection, SOF_KEEPALIVE);
    constexpr u32_t millisecond = 1000;
    connection->keep_idle = static_cast<u32_t>(socket.numbers[tcp_keep_idle]) * millisecond;
    connection->keep_intvl = static_cast<u32_t>(socket.numbers[tcp_keep_interval]) * millisecond;
    connection->keep_cnt = static_cast<u32_t>(socket.numbers[tcp_keep_count]);
}

void attach(TcpSocket& socket, tcp_pcb* connection) {
    socket.far = connection;
    tcp_arg(connection, &socket);
    tcp_recv(connection, &on_receive);
    tcp_sent(connection, &on_sent);
    tcp_err(connection, &on_error);
    take_options(socket);
}

err_t on_accept(void*, tcp_pcb* connection, err_t error) {
    if (connection == nullptr || error != ERR_OK) // it had no memory for one
        return ERR_VAL;
    TcpSocket* socket = net::inet::far_accept(endpoint(connection->local_ip, connection->local_port),
                                              endpoint(connection->remote_ip, connection->remote_port));
    if (socket == nullptr)
        return ERR_MEM; // lwIP resets it
    limit_segments(connection);
    attach(*socket, connection);
    tcp_backlog_delayed(connection);
    return ERR_OK;
}

// ---- Listening: one of lwIP's a port, whichever sockets there listen (SO_REUSEPORT)

struct ListeningPort {
    ListeningPort* next = nullptr;
    tcp_pcb* listener = nullptr;
    std::uint32_t sockets = 0;
    std::uint16_t port = 0;
};
ListeningPort* listening_ports = nullptr;

ListeningPort** find_port(std::uint16_t port) {
    ListeningPort** link = &listening_ports;
    while (*link != nullptr && (*link)->port != port)
        link = &(*link)->next;
    return link;
}

std::uint8_t backlog_of(const TcpSocket& socket) {
    return static_cast<std::uint8_t>(std::clamp<std::uint32_t>(socket.backlog + 1, 1, 255));
}

Status listen(TcpSocket& socket) {
    ListeningPort** link = find_port(socket.local.port);
    if (*link == nullptr) {
        auto* made = mm::make<ListeningPort>();
        tcp_pcb* bound = tcp_new();
        if (bound != nullptr)
            ip_set_option(bound, SOF_REUSEADDR); // earlier connections to that port go on
        const bool usable =
            made != nullptr && bound != nullptr && tcp_bind(bound, IP_ANY_TYPE, socket.local.port) == ERR_OK;
        tcp_pcb* listener = usable ? tcp_listen_with_backlog(bound, backlog_of(socket)) : nullptr;
        if (listener == nullptr) {
            if (bound != nullptr)
                tcp_abort(bound);
            mm::destroy(made);
            return base::Failure{Errno::nobufs};
        }
        tcp_accept(listener, &on_accept);
        made->listener = listener;
        made->port = socket.local.port;
        *link = made;
    }
    tcp_backlog_set(reinterpret_cast<tcp_pcb_listen*>((*link)->listener), backlog_of(socket));
    if (!std::exchange(socket.far_listens, true))
        ++(*link)->sockets;
    return base::success;
}

void stop_listening(TcpSocket& socket) {
    if (!std::exchange(socket.far_listens, false))
        return;
    ListeningPort** link = find_port(socket.local.port);
    ListeningPort* port = *link;
    if (--port->sockets != 0)
        return;
    *link = port->next;
    (void)tcp_close(port->listener); // a listener's always succeeds
    mm::destroy(port);
}

// ---- What the socket layer asks for

Status reach(int, const Endpoint& to);

// The connection between these ends that waits out its own.
tcp_pcb* waiting_between(const ip_addr_t& own, std::uint16_t own_port, const ip_addr_t& peer,
                         std::uint16_t peer_port) {
    tcp_pcb* one = tcp_tw_pcbs;
    while (one != nullptr && (one->local_port != own_port || one->remote_port != peer_port ||
                              !ip_addr_eq(&one->local_ip, &own) || !ip_addr_eq(&one->remote_ip, &peer)))
        one = one->next;
    return one;
}

// Between the ends that the socket has now. ERR_USE: a connection between them is still being ended.
err_t begin(TcpSocket& socket) {
    tcp_pcb* connection = tcp_new();
    if (connection == nullptr)
        return ERR_MEM;
    ip_set_option(connection, SOF_REUSEADDR);
    attach(socket, connection);
    const ip_addr_t own = lwip_address(socket.local.address), peer = lwip_address(socket.remote.address);
    // The next one between the same ends goes on behind its numbers.
    if (tcp_pcb* before = waiting_between(own, socket.local.port, peer, socket.remote.port);
        before != nullptr)
        tcp_abort(before);
    err_t error = tcp_bind(connection, &own, socket.local.port);
    if (error == ERR_OK)
        error = tcp_connect(connection, &peer, socket.remote.port, &on_connected);
    if (error != ERR_OK) {
        detach(connection);
        socket.far = nullptr;
        tcp_abort(connection);
    }
    return error;
}

Status connect(TcpSocket& socket) {
    constexpr unsigned attempts = 8;
    err_t error = begin(socket);
    // The kernel's table does not know what lwIP still ends: where the port is not the program's, another will do.
    for (unsigned i = 1; i < attempts && error == ERR_USE && !socket.port_chosen; ++i) {
        net::inet::tcp_ports.remove(socket);
        CAISSON_TRY(net::inet::tcp_ports.bind(socket, socket.local.address, 0));
        error = begin(socket);
    }
    if (error != ERR_OK)
        return base::Failure{error == ERR_USE ? Errno::addrnotavail : Errno::nobufs};
    ring_touched();
    return base::success;
}

void accepted(TcpSocket& socket) {
    tcp_backlog_accepted(connection_of(socket));
}

bool takes_more(const tcp_pcb* connection) {
    constexpr unsigned spare = 8; // segments that one write may take
    return tcp_sndbuf(connection) != 0 && tcp_sndqueuelen(connection) < TCP_SND_QUEUELEN - spare;
}

Result<std::uint64_t> send(TcpSocket& socket, fs::Origin& from, bool more) {
    static std::array<std::byte, std::size_t{2} * TCP_MSS> piece; // lwIP copies out of it
    tcp_pcb* connection = connection_of(socket);
    take_options(socket);
    std::uint64_t went = 0;
    while (from.left() != 0 && takes_more(connection)) {
        const std::uint64_t before = from.done();
        const std::span part = std::span{piece}.first(
            std::min<std::uint64_t>({from.left(), tcp_sndbuf(connection), piece.size()}));
        if (const Status taken = from.take(part); !taken.ok()) {
            if (went != 0)
                break;
            return base::Failure{taken.error()};
        }
        const bool last = from.left() == 0 && !more;
        if (tcp_write(connection, part.data(), static_cast<u16_t>(part.size()),
                      TCP_WRITE_FLAG_COPY | (last ? 0 : TCP_WRITE_FLAG_MORE)) != ERR_OK) {
            from.back_to(before); // lwIP has no memory for it now
            break;
        }
        went += part.size();
    }
    (void)tcp_output(connection); // what has no room yet goes later
    ring_touched();
    if (went == 0)
        return base::Failure{Errno::again};
    return went;
}

void took(TcpSocket& socket, std::uint64_t bytes) {
    tcp_pcb* connection = connection_of(socket);
    while (bytes != 0) {
        const auto part = static_cast<u16_t>(std::min<std::uint64_t>(bytes, 0xFFFF));
        tcp_recved(connection, part);
        bytes -= part;
    }
    ring_touched();
}

void finish(TcpSocket& socket) {
    (void)tcp_shutdown(connection_of(socket), 0, 1); // without memory lwIP does it later
    ring_touched();
}

void leave(TcpSocket& socket, bool reset) {
    tcp_pcb* connection = connection_of(socket);
    socket.far = nullptr;
    detach(connection);
    tcp_backlog_accepted(connection);
    if (reset || tcp_close(connection) != ERR_OK)
        tcp_abort(connection);
    ring_touched();
}

bool has_room(const TcpSocket& socket) {
    const tcp_pcb* connection = connection_of(socket);
    return tcp_sndbuf(connection) >= TCP_SNDLOWAT && takes_more(connection);
}

std::uint64_t unacknowledged(const TcpSocket& socket) {
    const tcp_pcb* connection = connection_of(socket);
    return connection->snd_lbb - connection->lastack;
}

bool is_own(const IpAddress& address) {
    const Configuration& configuration = stack().configuration;
    if (!address.is_v4())
        return stack().has_six() && configuration.outside->six.own.has(number6(address));
    const std::uint32_t value = address.v4_value();
    return value != 0 && ((configuration.prefix != 0 && value == configuration.address) ||
                          (configuration.outside != nullptr && value == configuration.outside->address));
}

IpAddress source(const IpAddress& target) {
    if (!target.is_v4()) // reach() said that there is one
        return is_own(target) ? target : wires::address_of(station::source6(number6(target)));
    const Configuration& configuration = stack().configuration;
    const std::uint32_t value = target.v4_value();
    const bool by_card = configuration.outside != nullptr && !stack().is_inside(value);
    return IpAddress::v4(by_card ? configuration.outside->address : configuration.address);
}

// Where the way out is: a neighbour of the card, or its gateway.
bool has_way_out(std::uint32_t target) {
    const Outside* outside = stack().configuration.outside;
    return outside != nullptr && outside->address != 0 &&
           (outside->gateway != 0 || (target ^ outside->address) >> (32 - outside->prefix) == 0);
}

// Whether a rule lets this end begin. A datagram may be an answer, which takes no rule: it is judged when it goes.
Status begin_there(int protocol, std::uint8_t peer, const Endpoint& to) {
    const bool may = protocol != net::inet::level_tcp ||
                     stack().firewall.may_begin(peer, ::net::protocol::tcp, number6(to.address), to.port);
    return may ? Status{base::success} : base::Failure{Errno::acces};
}

Status reach(int protocol, const Endpoint& to) {
    if (!to.address.is_v4()) {
        if (!stack().has_six() || station::source6(number6(to.address)).none())
            return base::Failure{Errno::netunreach};
        return begin_there(protocol, peer_at(to.address), to);
    }
    const std::uint32_t target = to.address.v4_value();
    const bool inside = stack().is_inside(target);
    if (!inside && !has_way_out(target))
        return base::Failure{Errno::netunreach};
    const std::uint8_t peer = peer_at(target);
    if (peer == no_peer)
        return base::Failure{Errno::hostunreach};
    if (inside && stack().configuration.links[peer].end.send == nullptr)
        return base::Failure{Errno::acces};
    return begin_there(protocol, peer, to);
}

} // namespace

const net::inet::FarNetwork network{.is_own = is_own,
                                    .source = source,
                                    .reach = reach,
                                    .connect = connect,
                                    .listen = listen,
                                    .stop_listening = stop_listening,
                                    .accepted = accepted,
                                    .send = send,
                                    .took = took,
                                    .finish = finish,
                                    .leave = leave,
                                    .has_room = has_room,
                                    .unacknowledged = unacknowledged,
                                    .send_datagram = send_datagram};

void reset_connections(std::uint8_t peer) {
    abort_reason = Errno::connreset;
    for (tcp_pcb* connection = tcp_active_pcbs; connection != nullptr;) {
        tcp_pcb* next = connection->next;
        if (peer_at(address_of(connection->remote_ip)) == peer) {
            tcp_abort(connection);
            next = tcp_active_pcbs; // it may have been any that went
        }
        connection = next;
    }
    abort_reason = {};
}

// lwIP resets who comes with the ports of a connection that waits out its end. A first segment behind all of that one's is of
// another: RFC 1122 section 4.2.2.13.
void make_way(const ::net::Packet& packet, std::span<const std::byte> bytes) {
    if ((packet.flags & (::net::tcp_flag::syn | ::net::tcp_flag::acknowledge)) != ::net::tcp_flag::syn)
        return;
    std::uint32_t sequence = 0;
    std::memcpy(&sequence, bytes.data() + header_of(packet) + 4, sizeof(sequence));
    tcp_pcb* before = waiting_between(lwip_address(wires::address_of(packet.to())), packet.target_port,
                                      lwip_address(wires::address_of(packet.from())), packet.source_port);
    if (before != nullptr && TCP_SEQ_GT(lwip_ntohl(sequence), before->rcv_nxt))
        tcp_abort(before); // says nothing to the other end
}

void run_connections() {
    tcp_tmr();
    ring_touched();
}

void try_again() {
    for (tcp_pcb* connection = tcp_active_pcbs; connection != nullptr; connection = connection->next)
        (void)tcp_output(connection);
}

bool has_unsent() {
    for (const tcp_pcb* connection = tcp_active_pcbs; connection != nullptr; connection = connection->next)
        if (connection->unsent != nullptr || connection->unacked != nullptr)
            return true;
    return false;
}

} // namespace uk::wires
