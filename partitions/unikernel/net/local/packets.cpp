// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/packets.cpp - messages between local sockets: datagrams and records
// (SOCK_SEQPACKET).
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/local/local.hpp"

namespace uk::net::local {

namespace {

using State = LocalSocket::State;

constexpr std::uint32_t most_queued = 10; // net.unix.max_dgram_qlen

bool queue_full(const LocalSocket& socket) {
    return socket.packets.count() > most_queued;
}

// The receiver of a message. pipe, connrefused: it is gone.
Result<LocalSocket*> receiver_of(LocalSocket& socket, Outgoing& out) {
    if (out.to != nullptr && !socket.connection_oriented())
        return find(out.caller, *out.to, socket.type);
    if (socket.connection_oriented()) {
        if (socket.error != Errno{})
            return base::Failure{socket.take_error()};
        if (socket.state != State::connected)
            return base::Failure{Errno::notconn};
        return socket.peer != nullptr ? Result<LocalSocket*>{socket.peer} : base::Failure{Errno::pipe};
    }
    if (socket.peer_died) {
        socket.peer_died = false;
        socket.state = State::closed;
        socket.packets.clear(); // what it sent before goes with it
        return base::Failure{Errno::connrefused};
    }
    return socket.peer != nullptr ? Result<LocalSocket*>{socket.peer} : base::Failure{Errno::notconn};
}

// What one socket's packets may hold. Errors: again.
Status may_charge(LocalSocket& socket) {
    if (!socket.account) {
        socket.account = Ref<SendAccount>{mm::make<SendAccount>()};
        if (!socket.account)
            return base::Failure{Errno::nobufs};
        socket.account->owner = &socket;
    }
    if (socket.account->charged < socket.send_buffer)
        return base::success;
    socket.wants_room = true;
    return base::Failure{Errno::again};
}

Result<std::uint64_t> send(Socket& base_socket, fs::Origin& from, Outgoing& out) {
    LocalSocket& socket = local_of(base_socket);
    constexpr std::uint64_t head = 32;
    const bool records = socket.connection_oriented();
    if ((out.flags & message::out_of_band) != 0)
        return base::Failure{records && socket.state != State::connected ? Errno::notconn : Errno::opnotsupp};
    const Errno refused = from.left() > socket.send_buffer - head ? Errno::msgsize
                          : !socket.may_send()                    ? Errno::pipe
                                                                  : Errno{};
    if (refused != Errno{} && !records) { // a datagram's receiver is looked for later
        const bool no_address = out.to != nullptr && out.to->family() != family::local;
        return base::Failure{no_address ? Errno::inval : refused};
    }
    LocalSocket* other = CAISSON_TRY(receiver_of(socket, out));
    if (socket.pass_credentials && !socket.name)
        CAISSON_TRY(bind_to_free_name(socket));
    if (refused != Errno{})
        return base::Failure{refused};
    CAISSON_TRY(may_charge(socket));
    if (!takes_from(*other, socket))
        return base::Failure{Errno::perm};
    if (!other->may_receive())
        return base::Failure{Errno::pipe};
    if (other != &socket && other->peer != &socket && queue_full(*other)) {
        out.wait = &other->room;
        return base::Failure{Errno::again};
    }
    OwnedPacket packet = CAISSON_TRY(make_packet(from));
    packet->sender = sender_of(socket, *other, out);
    packet->rights = enter_flight(std::move(out.rights));
    packet->name = socket.name;
    packet->account = socket.account;
    socket.account->charged += packet->charge;
    const std::uint64_t bytes = packet->bytes;
    other->packets.add(std::move(packet));
    other->changed.wake(in_events);
    return bytes;
}

void wake_senders(LocalSocket& socket) {
    socket.room.wake_all();
    for (LocalSocket* sender = socket.senders; sender != nullptr; sender = sender->next_sender)
        sender->changed.wake(out_events);
}

Result<std::uint64_t> receive(Socket& base_socket, fs::Destination& to, Incoming& in) {
    LocalSocket& socket = local_of(base_socket);
    if (socket.type == Type::sequenced && socket.state != State::connected)
        return base::Failure{Errno::notconn};
    if ((in.flags & message::out_of_band) != 0)
        return base::Failure{Errno::opnotsupp};
    if (socket.error != Errno{})
        return base::Failure{socket.take_error()};
    Packet* packet = socket.packets.first();
    if (packet == nullptr) {
        // Non-blocking, a datagram socket that was shut down has nothing yet.
        const bool ended =
            !socket.may_receive() && (socket.type == Type::sequenced || (in.flags & message::dont_wait) == 0);
        return ended ? Result<std::uint64_t>{std::uint64_t{0}} : base::Failure{Errno::again};
    }
    const bool peek = (in.flags & message::peek) != 0;
    OwnedRights rights;
    if (packet->rights != nullptr && peek && !(rights = copy_rights(*packet->rights)))
        return base::Failure{Errno::nomem};
    const std::uint64_t went = CAISSON_TRY(read_packet(*packet, to, peek));
    in.whole = packet->bytes;
    in.told |= went < packet->bytes ? message::truncated : 0;
    // The name that the sender has now.
    const Socket* sender = packet->account->owner;
    const Ref<Name>& name = sender != nullptr ? static_cast<const LocalSocket*>(sender)->name : packet->name;
    if (name)
        show_name(name.get(), in.from);
    in.has_sender = socket.pass_credentials;
    in.sender = packet->sender;
    if (!peek) {
        rights = leave_flight(std::exchange(packet->rights, nullptr));
        const bool was_full = queue_full(socket);
        socket.packets.take().reset();
        if (was_full && !queue_full(socket))
            wake_senders(socket);
    }
    in.rights = std::move(rights);
    return went;
}

std::uint32_t readiness(Socket& base_socket) {
    LocalSocket& socket = local_of(base_socket);
    std::uint32_t events = socket.error != Errno{} ? fs::ready::error : 0;
    if (socket.shut == shut_both || (socket.type == Type::sequenced && socket.state == State::closed))
        events |= fs::ready::hang_up;
    if (!socket.may_receive())
        events |= in_events | fs::ready::read_hang_up;
    if (!socket.packets.empty() || socket.first_waiting != nullptr)
        events |= in_events;
    const LocalSocket* peer = socket.peer;
    const bool peer_full = peer != nullptr && peer->peer != &socket && queue_full(*peer);
    if (writable(socket) && !peer_full)
        events |= out_events;
    else
        socket.wants_room = true;
    return events;
}

Result<std::uint64_t> control(Socket& base_socket, std::uint32_t request) {
    constexpr std::uint32_t bytes_unsent = 0x5411; // SIOCOUTQ
    LocalSocket& socket = local_of(base_socket);
    if (request == bytes_unsent)
        return socket.unread_by_peer();
    if (request != fs::control::bytes_waiting)
        return base::Failure{Errno::notty};
    if (socket.state == State::listening)
        return base::Failure{Errno::inval};
    std::uint64_t bytes = 0; // Linux: of all records, or of the first datagram
    for (const Packet* packet = socket.packets.first(); packet != nullptr; packet = packet->next) {
        bytes += packet->bytes;
        if (socket.type == Type::datagram)
            break;
    }
    return bytes;
}

void room_again(Socket& base_socket) {
    LocalSocket& socket = local_of(base_socket);
    if (!socket.wants_room || !writable(socket))
        return;
    socket.wants_room = false;
    socket.changed.wake(out_events);
}

} // namespace

const SocketKind packet_kind{.bind = bind,
                             .connect = connect,
                             .listen = listen,
                             .accept = accept,
                             .send = send,
                             .receive = receive,
                             .shut_down = shut_down,
                             .name = name_of,
                             .control = control,
                             .readiness = readiness,
                             .room_again = room_again,
                             .release = release};

} // namespace uk::net::local
