// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/tcp_data.cpp - bytes of a connection, urgent ones, and what poll(2) says of it.
#include "partitions/unikernel/net/inet/far.hpp"

#include <algorithm>

namespace uk::net::inet {

namespace {

using Urgent = TcpSocket::Urgent;

// Nobody reads this end any more: what is sent is answered with a reset, which the next call sees.
std::uint64_t send_to_nobody(TcpSocket& socket, fs::Origin& from) {
    const std::uint64_t bytes = from.left();
    from.skip(bytes);
    end_with(socket, socket.fin_received ? Errno::pipe : Errno::connreset);
    return bytes;
}

Result<std::uint64_t> receive_urgent(TcpSocket& socket, fs::Destination& to, Incoming& in) {
    if (socket.oob_inline || socket.urgent == Urgent::none || socket.urgent == Urgent::read)
        return base::Failure{Errno::inval};
    in.told |= message::out_of_band;
    if (to.left() == 0) {
        in.told |= message::truncated;
        return std::uint64_t{0};
    }
    CAISSON_TRY(to.put({&socket.urgent_byte, 1}));
    if ((in.flags & message::peek) == 0)
        socket.urgent = Urgent::read;
    return std::uint64_t{1};
}

// An urgent byte at the next place to read is not of the stream, unless it is wanted inline.
void pass_mark(TcpSocket& socket) {
    if (socket.bytes_to_mark() != 0 || socket.in.empty())
        return;
    if (!socket.oob_inline) {
        socket.in.skip(1);
        ++socket.received;
    }
    if (socket.urgent == Urgent::read || socket.oob_inline)
        socket.urgent = Urgent::none;
}

// The last byte that was sent is urgent: it replaces an urgent byte before it, which is not read any more where it is next.
void mark_urgent(TcpSocket& receiver) {
    if (receiver.urgent != Urgent::none)
        pass_mark(receiver);
    receiver.urgent = Urgent::valid;
    receiver.urgent_at = receiver.received + receiver.in.bytes() - 1;
    receiver.urgent_byte = receiver.in.at(receiver.in.bytes() - 1);
    receiver.changed.wake(fs::ready::priority | in_events);
}

Result<std::uint64_t> send_far(TcpSocket& socket, fs::Origin& from, const Outgoing& out) {
    if ((out.flags & message::out_of_band) != 0)
        return base::Failure{Errno::opnotsupp};
    const auto went = far_network->send(socket, from, (out.flags & message::more) != 0);
    if (went.ok())
        socket.sent += *went;
    else if (went.error() == Errno::again)
        socket.wants_room = true;
    return went;
}

void give_room(TcpSocket& socket, std::uint64_t bytes) {
    if (socket.far != nullptr)
        return far_network->took(socket, bytes);
    TcpSocket* peer = socket.peer;
    if (peer != nullptr && peer->wants_room && writable(*peer)) {
        peer->wants_room = false;
        peer->changed.wake(out_events);
    }
}

std::uint64_t readable_bytes(const TcpSocket& socket) {
    const std::uint64_t bytes = socket.in.bytes();
    const bool hole = socket.urgent == Urgent::valid && !socket.oob_inline &&
                      socket.urgent_at >= socket.received && socket.urgent_at < socket.received + bytes;
    return bytes - (hole ? 1 : 0);
}

Result<std::uint64_t> nothing_to_read(TcpSocket& socket) {
    if (socket.fin_received)
        return std::uint64_t{0};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    if (!socket.may_receive())
        return std::uint64_t{0};
    const bool unconnected = socket.state == TcpState::closed || socket.state == TcpState::listen;
    return base::Failure{unconnected ? Errno::notconn : Errno::again};
}

} // namespace

std::uint64_t capacity(const TcpSocket& sender) {
    constexpr std::uint64_t grown =
        128 * 1024; // what Linux's buffers grow to, and more, where nobody set them
    const TcpSocket& receiver = *sender.peer;
    return (sender.send_buffer_set ? sender.send_buffer / 2 : grown) +
           (receiver.receive_buffer_set ? receiver.receive_buffer / 2 : grown);
}

bool writable(const TcpSocket& socket) {
    if (socket.far != nullptr)
        return far_network->has_room(socket);
    if (socket.peer == nullptr)
        return true;
    const std::uint64_t all = capacity(socket), held = socket.peer->in.bytes();
    return held < all && all - held >= held / 2;
}

Result<std::uint64_t> tcp_send(Socket& base_socket, fs::Origin& from, Outgoing& out) {
    TcpSocket& socket = tcp_of(base_socket);
    if (socket.state == TcpState::syn_sent)
        return base::Failure{Errno::again};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    if (!socket.may_send() || (socket.state != TcpState::established && socket.state != TcpState::close_wait))
        return base::Failure{Errno::pipe};
    if (from.left() == 0)
        return std::uint64_t{0};
    if (socket.far != nullptr)
        return send_far(socket, from, out);
    TcpSocket* peer = socket.peer;
    if (peer == nullptr)
        return send_to_nobody(socket, from);
    const std::uint64_t all = capacity(socket), held = peer->in.bytes();
    if (held >= all) {
        socket.wants_room = true;
        return base::Failure{Errno::again};
    }
    const std::uint64_t went = CAISSON_TRY(peer->in.append(from, all - held, {}, out.rights));
    socket.sent += went;
    if (peer->is_deferred)
        admit_deferred(*peer);
    if ((out.flags & message::out_of_band) != 0 && from.left() == 0)
        mark_urgent(*peer);
    else
        peer->changed.wake(in_events);
    return went;
}

Result<std::uint64_t> tcp_receive(Socket& base_socket, fs::Destination& to, Incoming& in) {
    TcpSocket& socket = tcp_of(base_socket);
    if ((in.flags & message::error_queue) != 0)
        return base::Failure{Errno::again};
    if (socket.state == TcpState::listen)
        return base::Failure{Errno::notconn};
    if ((in.flags & message::out_of_band) != 0)
        return receive_urgent(socket, to, in);
    const bool peek = (in.flags & message::peek) != 0;
    if (to.left() == 0)
        return std::uint64_t{0};
    if (socket.urgent != Urgent::none && !peek)
        pass_mark(socket);
    if (readable_bytes(socket) == 0)
        return nothing_to_read(socket);
    std::uint64_t most = socket.bytes_to_mark();
    if (most == 0) // inline, or looked at only
        most = ~std::uint64_t{0};
    std::uint64_t went = 0;
    if ((in.flags & message::truncated) != 0 && !peek) { // thrown away
        went = std::min({to.left(), most, socket.in.bytes()});
        socket.in.skip(went);
    } else {
        went = CAISSON_TRY(socket.in.read(to, most, peek));
    }
    if (peek)
        return went;
    socket.received += went;
    give_room(socket, went);
    return went;
}

std::uint32_t tcp_readiness(Socket& base_socket) {
    TcpSocket& socket = tcp_of(base_socket);
    if (socket.listening)
        return socket.first_waiting != nullptr ? in_events : 0;
    std::uint32_t events = socket.error != Errno{} ? fs::ready::error : 0;
    if (socket.shut == shut_both || socket.state == TcpState::closed)
        events |= fs::ready::hang_up;
    if (!socket.may_receive())
        events |= in_events | fs::ready::read_hang_up;
    if (socket.state == TcpState::syn_sent)
        return events;
    if (readable_bytes(socket) >= static_cast<std::uint64_t>(socket.low_water))
        events |= in_events;
    if (!socket.may_send() || writable(socket))
        events |= out_events;
    else
        socket.wants_room = true;
    if (socket.urgent == Urgent::valid)
        events |= fs::ready::priority;
    return events;
}

Result<std::uint64_t> tcp_control(Socket& base_socket, std::uint32_t request) {
    constexpr std::uint32_t bytes_unsent = 0x5411, at_mark = 0x8905; // SIOCOUTQ, SIOCATMARK
    TcpSocket& socket = tcp_of(base_socket);
    switch (request) {
    case fs::control::bytes_waiting:
        if (socket.listening)
            return base::Failure{Errno::inval};
        return std::min(readable_bytes(socket),
                        socket.bytes_to_mark() == 0 ? ~std::uint64_t{0} : socket.bytes_to_mark());
    case bytes_unsent: // here, all of it has arrived
        if (socket.listening)
            return base::Failure{Errno::inval};
        return socket.far != nullptr ? far_network->unacknowledged(socket) : std::uint64_t{0};
    case at_mark:
        return std::uint64_t{socket.urgent != Urgent::none && socket.urgent_at == socket.received ? 1u : 0u};
    default:
        return base::Failure{Errno::notty};
    }
}

bool far_received(TcpSocket& socket, std::span<const std::byte> bytes) {
    if (socket.is_deferred)
        admit_deferred(socket);
    if (!socket.may_receive()) { // nobody reads it any more
        far_network->took(socket, bytes.size());
        return true;
    }
    fs::Origin from{bytes};
    OwnedRights none;
    while (from.left() != 0)
        if (!socket.in.append(from, from.left(), {}, none).ok())
            return false;
    socket.changed.wake(in_events);
    return true;
}

void far_has_room(TcpSocket& socket) {
    if (socket.wants_room && far_network->has_room(socket)) {
        socket.wants_room = false;
        socket.changed.wake(out_events);
    }
}

} // namespace uk::net::inet
