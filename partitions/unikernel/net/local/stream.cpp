// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/stream.cpp - bytes between two local sockets.
#include "partitions/unikernel/net/local/local.hpp"

#include <algorithm>

namespace uk::net::local {

namespace {

using State = LocalSocket::State;

Result<std::uint64_t> send(Socket& base_socket, fs::Origin& from, Outgoing& out) {
    LocalSocket& socket = local_of(base_socket);
    if ((out.flags & message::out_of_band) != 0)
        return base::Failure{Errno::opnotsupp};
    if (out.to != nullptr)
        return base::Failure{socket.state == State::connected ? Errno::isconn : Errno::opnotsupp};
    if (socket.state != State::connected)
        return base::Failure{Errno::notconn};
    LocalSocket* peer = socket.peer;
    if (peer == nullptr || !socket.may_send() || !peer->may_receive())
        return base::Failure{Errno::pipe};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    if (from.left() == 0)
        return std::uint64_t{0};
    const std::uint64_t held = peer->bytes.bytes();
    if (held >= socket.send_buffer) {
        socket.wants_room = true;
        return base::Failure{Errno::again};
    }
    const std::uint64_t went = CAISSON_TRY(
        peer->bytes.append(from, socket.send_buffer - held, sender_of(socket, *peer, out), out.rights));
    peer->changed.wake(in_events);
    return went;
}

// Room for the sender again: told once, after it was refused.
void give_room(LocalSocket& socket) {
    LocalSocket* peer = socket.peer;
    if (peer != nullptr && peer->wants_room && writable(*peer)) {
        peer->wants_room = false;
        peer->changed.wake(out_events);
    }
}

// What the chunk carries besides bytes. False: it cannot be had now.
bool take_rights(ByteQueue::Chunk& chunk, Incoming& in) {
    if (chunk.rights == nullptr)
        return true;
    in.rights = (in.flags & message::peek) != 0 ? copy_rights(*chunk.rights)
                                                : leave_flight(std::exchange(chunk.rights, nullptr));
    return in.rights != nullptr;
}

Result<std::uint64_t> receive(Socket& base_socket, fs::Destination& to, Incoming& in) {
    LocalSocket& socket = local_of(base_socket);
    if (socket.state != State::connected)
        return base::Failure{Errno::inval};
    if ((in.flags & message::out_of_band) != 0)
        return base::Failure{Errno::opnotsupp};
    const bool peek = (in.flags & message::peek) != 0;
    if (socket.bytes.empty()) {
        if (socket.error != Errno{})
            return base::Failure{socket.take_error()};
        return socket.may_receive() ? Result<std::uint64_t>{base::Failure{Errno::again}} : std::uint64_t{0};
    }
    if (to.left() == 0 && socket.bytes.first()->rights == nullptr)
        return std::uint64_t{0};
    if (socket.peer_name)
        show_name(socket.peer_name.get(), in.from);
    std::uint64_t done = 0;
    for (ByteQueue::Chunk* chunk = socket.bytes.first(); chunk != nullptr;) {
        if (socket.pass_credentials && in.has_sender && in.sender != chunk->sender)
            break; // bytes of different senders do not mix
        if (to.left() == 0 && done > 0)
            break;
        const std::uint64_t before = to.done();
        const Status put =
            to.put({chunk->data() + chunk->start, std::min<std::uint64_t>(chunk->bytes(), to.left())});
        const std::uint64_t went = to.done() - before;
        if (!put.ok() && went == 0) {
            if (done == 0)
                return base::Failure{put.error()};
            break;
        }
        in.has_sender = socket.pass_credentials;
        in.sender = chunk->sender;
        const bool had_rights = chunk->rights != nullptr;
        if (!take_rights(*chunk, in) && done + went == 0)
            return base::Failure{Errno::nomem};
        done += went;
        if (peek) {
            chunk = chunk->next;
        } else {
            socket.bytes.consume(static_cast<std::uint32_t>(went));
            chunk = socket.bytes.first();
        }
        if (had_rights || !put.ok())
            break;
    }
    if (!peek)
        give_room(socket);
    return done;
}

std::uint32_t readiness(Socket& base_socket) {
    LocalSocket& socket = local_of(base_socket);
    std::uint32_t events = socket.error != Errno{} ? fs::ready::error : 0;
    if (socket.shut == shut_both || socket.state == State::closed)
        events |= fs::ready::hang_up;
    if (!socket.may_receive())
        events |= in_events | fs::ready::read_hang_up;
    if (!socket.bytes.empty() || socket.first_waiting != nullptr)
        events |= in_events;
    if (writable(socket))
        events |= out_events;
    else if (socket.state == State::connected)
        socket.wants_room = true; // whoever asks waits for it
    return events;
}

Result<std::uint64_t> control(Socket& base_socket, std::uint32_t request) {
    constexpr std::uint32_t bytes_unsent = 0x5411; // SIOCOUTQ
    LocalSocket& socket = local_of(base_socket);
    if (request == fs::control::bytes_waiting)
        return socket.state == State::listening ? Result<std::uint64_t>{base::Failure{Errno::inval}}
                                                : socket.bytes.bytes();
    if (request == bytes_unsent)
        return socket.unread_by_peer();
    return base::Failure{Errno::notty};
}

} // namespace

std::uint64_t LocalSocket::unread_by_peer() const {
    if (type != Type::stream)
        return account ? account->charged : 0;
    return peer != nullptr ? peer->bytes.bytes() : 0;
}

// Linux: with three quarters of the buffer free.
bool writable(const LocalSocket& socket) {
    return socket.state != State::listening && socket.unread_by_peer() * 4 <= socket.send_buffer;
}

const SocketKind stream_kind{.bind = bind,
                             .connect = connect,
                             .listen = listen,
                             .accept = accept,
                             .send = send,
                             .receive = receive,
                             .shut_down = shut_down,
                             .name = name_of,
                             .control = control,
                             .readiness = readiness,
                             .release = release,
                             .stream = true};

} // namespace uk::net::local
