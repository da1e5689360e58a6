// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/connect.cpp - who talks to whom: pairs, listeners, shutdown and the end.
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/local/local.hpp"

namespace uk::net::local {

namespace {

using State = LocalSocket::State;

LocalSocket* make_socket(Type type) {
    auto* socket = mm::make<LocalSocket>();
    if (socket == nullptr)
        return nullptr;
    socket->family = family::local;
    socket->type = type;
    socket->kind = type == Type::stream ? &stream_kind : &packet_kind;
    list_socket(*socket);
    return socket;
}

bool queue_full(const LocalSocket& listener) {
    return listener.waiting > listener.backlog;
}

void add_waiting(LocalSocket& listener, LocalSocket& socket) {
    socket.listener = &listener;
    (listener.last_waiting != nullptr ? listener.last_waiting->next_waiting : listener.first_waiting) =
        &socket;
    listener.last_waiting = &socket;
    ++listener.waiting;
    listener.changed.wake(in_events);
}

LocalSocket* take_waiting(LocalSocket& listener) {
    LocalSocket* socket = listener.first_waiting;
    if (socket == nullptr)
        return nullptr;
    listener.first_waiting = socket->next_waiting;
    if (listener.first_waiting == nullptr)
        listener.last_waiting = nullptr;
    socket->next_waiting = nullptr;
    socket->listener = nullptr;
    --listener.waiting;
    return socket;
}

void join(LocalSocket& one, LocalSocket& other) {
    one.peer = &other;
    other.peer = &one;
    one.state = other.state = State::connected;
}

Status connect_stream(LocalSocket& socket, Caller& caller, const Address& address, bool non_blocking,
                      WaitQueue*& wait) {
    if (socket.pass_credentials && !socket.name)
        CAISSON_TRY(bind_to_free_name(socket));
    LocalSocket* listener = CAISSON_TRY(find(caller, address, socket.type));
    if (listener->state != State::listening || !listener->may_receive())
        return base::Failure{Errno::connrefused};
    if (socket.state == State::connected)
        return base::Failure{Errno::isconn};
    if (socket.state == State::listening)
        return base::Failure{Errno::inval};
    if (queue_full(*listener)) {
        if (!non_blocking)
            wait = &listener->room;
        return base::Failure{non_blocking ? Errno::again : Errno::inprogress};
    }
    LocalSocket* accepted = make_socket(socket.type);
    if (accepted == nullptr)
        return base::Failure{Errno::nomem};
    accepted->user = listener->user;
    accepted->pass_credentials = listener->pass_credentials;
    accepted->send_buffer = listener->send_buffer;
    accepted->name = listener->name; // the same, but it is not found by it
    accepted->peer_name = socket.name;
    accepted->peer_identity = caller.identity();
    socket.peer_name = listener->name;
    socket.peer_identity = listener->peer_identity; // taken at its listen(2)
    join(socket, *accepted);
    add_waiting(*listener, *accepted);
    return base::success;
}

// Datagrams of the one before are not for this connection: they go, and who sent them as its peer hears of it.
void change_peer(LocalSocket& socket, LocalSocket* peer) {
    LocalSocket* before = socket.peer;
    const bool had_one = before != nullptr || socket.peer_died;
    set_peer(socket, peer);
    if (!had_one || before == peer || socket.packets.empty())
        return;
    socket.packets.clear();
    socket.room.wake_all();
    if (before != nullptr && before->peer == &socket) {
        before->error = Errno::connreset;
        before->changed.wake(in_events | out_events | end_events);
    }
}

Status connect_datagrams(LocalSocket& socket, Caller& caller, const Address& address) {
    if (address.size >= sizeof(std::uint16_t) && address.family() == family::unspecified) {
        change_peer(socket, nullptr);
        return base::success;
    }
    if (socket.pass_credentials && !socket.name)
        CAISSON_TRY(bind_to_free_name(socket));
    LocalSocket* other = CAISSON_TRY(find(caller, address, socket.type));
    if (!takes_from(*other, socket))
        return base::Failure{Errno::perm};
    change_peer(socket, other);
    return base::success;
}

} // namespace

Result<Socket*> make(Type type, int protocol) {
    if (protocol != 0 && protocol != family::local)
        return base::Failure{Errno::protonosupport};
    if (type == Type::raw) // as BSD: datagrams
        type = Type::datagram;
    if (type != Type::stream && type != Type::datagram && type != Type::sequenced)
        return base::Failure{Errno::socktnosupport};
    LocalSocket* socket = make_socket(type);
    if (socket == nullptr)
        return base::Failure{Errno::nobufs};
    return socket;
}

void pair(Caller& caller, Socket& first, Socket& second) {
    LocalSocket &one = local_of(first), &other = local_of(second);
    one.peer_identity = other.peer_identity = caller.identity();
    if (one.connection_oriented()) {
        join(one, other);
    } else {
        set_peer(one, &other);
        set_peer(other, &one);
    }
}

Identity peer_of(Socket& socket) {
    return socket.family == family::local ? local_of(socket).peer_identity : Identity{};
}

Status connect(Socket& base_socket, Caller& caller, const Address& address, bool non_blocking,
               WaitQueue*& wait) {
    LocalSocket& socket = local_of(base_socket);
    return socket.connection_oriented() ? connect_stream(socket, caller, address, non_blocking, wait)
                                        : connect_datagrams(socket, caller, address);
}

bool takes_from(const LocalSocket& receiver, const LocalSocket& sender) {
    return receiver.peer != nullptr ? receiver.peer == &sender : !receiver.peer_died;
}

void set_peer(LocalSocket& socket, LocalSocket* peer) {
    if (socket.peer != nullptr) {
        LocalSocket** link = &socket.peer->senders;
        while (*link != &socket)
            link = &(*link)->next_sender;
        *link = socket.next_sender;
    }
    socket.peer = peer;
    socket.peer_died = false;
    socket.state = peer != nullptr ? State::connected : State::closed;
    socket.peer_name = peer != nullptr ? peer->name : Ref<Name>{};
    if (peer == nullptr)
        return;
    socket.next_sender = peer->senders;
    peer->senders = &socket;
}

Status listen(Socket& base_socket, Caller& caller, int backlog) {
    LocalSocket& socket = local_of(base_socket);
    if (!socket.connection_oriented())
        return base::Failure{Errno::opnotsupp};
    if (!socket.name || socket.state == State::connected)
        return base::Failure{Errno::inval};
    socket.state = State::listening;
    socket.listening = true;
    const bool had_no_room = queue_full(socket);
    socket.backlog = static_cast<std::uint32_t>(backlog);
    socket.peer_identity = caller.identity();
    if (had_no_room && !queue_full(socket))
        socket.room.wake_all();
    return base::success;
}

Result<Socket*> accept(Socket& base_socket) {
    LocalSocket& socket = local_of(base_socket);
    if (!socket.connection_oriented())
        return base::Failure{Errno::opnotsupp};
    if (socket.state != State::listening)
        return base::Failure{Errno::inval};
    const bool was_full = queue_full(socket);
    LocalSocket* accepted = take_waiting(socket);
    if (accepted == nullptr) // shut down: a call that would wait says so
        return base::Failure{socket.may_receive() || socket.file->non_blocking() ? Errno::again
                                                                                 : Errno::inval};
    if (was_full)
        socket.room.wake_all();
    return accepted;
}

Identity sender_of(const LocalSocket& socket, const LocalSocket& receiver, const Outgoing& out) {
    constexpr Identity unknown{0, 65534, 65534};
    return out.claimed || socket.pass_credentials || receiver.pass_credentials ? out.sender : unknown;
}

Status shut_down(Socket& base_socket, unsigned how) {
    LocalSocket& socket = local_of(base_socket);
    socket.shut |= static_cast<std::uint8_t>(how);
    if (LocalSocket* peer = socket.peer; peer != nullptr && socket.connection_oriented()) {
        const unsigned mirrored =
            ((how & shut_receive) != 0 ? shut_send : 0) | ((how & shut_send) != 0 ? shut_receive : 0);
        peer->shut |= static_cast<std::uint8_t>(mirrored);
        peer->changed.wake(in_events | out_events | end_events);
    }
    socket.changed.wake(in_events | out_events | end_events);
    socket.room.wake_all();
    return base::success;
}

Status name_of(Socket& base_socket, End which, Address& to) {
    LocalSocket& socket = local_of(base_socket);
    const bool of_peer = which != End::own;
    if (of_peer && socket.state != State::connected)
        return base::Failure{Errno::notconn};
    show_name(of_peer ? socket.peer_name.get() : socket.name.get(), to);
    return base::success;
}

void release(Socket& base_socket) {
    LocalSocket& socket = local_of(base_socket);
    unlist_socket(socket);
    leave_flight_list(socket);
    const bool unread = !socket.bytes.empty() || !socket.packets.empty() || socket.listener != nullptr;
    if (socket.connection_oriented()) {
        if (LocalSocket* peer = socket.peer) {
            peer->peer = nullptr;
            peer->shut = shut_both;
            if (unread)
                peer->error = Errno::connreset;
            peer->changed.wake(in_events | out_events | end_events);
        }
    } else {
        set_peer(socket, nullptr);
        while (LocalSocket* sender = socket.senders) {
            Ref<Name> name = sender->peer_name; // told until a send finds nobody
            set_peer(*sender, nullptr);
            sender->peer_name = std::move(name);
            sender->peer_died = true;
            sender->state = State::connected;
            sender->changed.wake(out_events | end_events);
        }
    }
    while (LocalSocket* waiting = socket.first_waiting) { // a waiting one still has the listener: unread
        socket.first_waiting = waiting->next_waiting;
        release(*waiting);
    }
    forget_name(socket);
    if (socket.account)
        socket.account->owner = nullptr;
    socket.room.wake_all();
    mm::destroy(&socket);
    if (files_in_flight() > 0)
        collect_circles();
}

} // namespace uk::net::local
