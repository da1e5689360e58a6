// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/tcp.cpp - connections: how they begin and how they end.
#include "partitions/unikernel/net/inet/tcp.hpp"

#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/mm/heap.hpp"
#include "partitions/unikernel/net/inet/far.hpp"

namespace uk::net::inet {

namespace {

extern const SocketKind tcp_kind;

constexpr std::uint32_t everything = in_events | out_events | end_events;

bool queue_full(const TcpSocket& listener) {
    return listener.waiting > listener.backlog;
}

// ---- Lists of a listener

void add_last(TcpSocket*& first, TcpSocket*& last, TcpSocket& socket) {
    socket.next_waiting = nullptr;
    (last != nullptr ? last->next_waiting : first) = &socket;
    last = &socket;
}

TcpSocket* take_first(TcpSocket*& first, TcpSocket*& last) {
    TcpSocket* socket = first;
    if (socket == nullptr)
        return nullptr;
    first = socket->next_waiting;
    if (first == nullptr)
        last = nullptr;
    socket->next_waiting = nullptr;
    socket->listener = nullptr;
    return socket;
}

void unlink_from(TcpSocket*& first, TcpSocket& socket) {
    TcpSocket** link = &first;
    while (*link != &socket)
        link = &(*link)->next_waiting;
    *link = socket.next_waiting;
    socket.next_waiting = nullptr;
    socket.listener = nullptr;
}

void stop_connecting(TcpSocket& socket) {
    TcpSocket* listener = socket.listener;
    if (socket.state != TcpState::syn_sent || listener == nullptr)
        return;
    unlink_from(listener->first_connecting, socket);
    listener->last_connecting = nullptr;
    for (TcpSocket* at = listener->first_connecting; at != nullptr; at = at->next_waiting)
        listener->last_connecting = at;
}

void offer(TcpSocket& listener, TcpSocket& accepted) {
    accepted.listener = &listener;
    add_last(listener.first_waiting, listener.last_waiting, accepted);
    ++listener.waiting;
    listener.changed.wake(in_events);
}

// ---- Beginnings

TcpSocket* make_socket() {
    auto* socket = mm::make<TcpSocket>();
    if (socket != nullptr) {
        socket->kind = &tcp_kind;
        socket->type = Type::stream;
        socket->send_buffer = 16384;     // net.ipv4.tcp_wmem
        socket->receive_buffer = 131072; // net.ipv4.tcp_rmem
    }
    return socket;
}

// What an accepted socket has from its listener.
void inherit(TcpSocket& child, const TcpSocket& listener) {
    child.family = listener.family;
    child.protocol = listener.protocol;
    child.user = listener.user;
    child.reuse_address = listener.reuse_address;
    child.reuse_port = listener.reuse_port;
    child.keep_alive = listener.keep_alive;
    child.oob_inline = listener.oob_inline;
    child.lingers = listener.lingers;
    child.linger_seconds = listener.linger_seconds;
    child.dont_route = listener.dont_route;
    child.send_buffer = listener.send_buffer;
    child.receive_buffer = listener.receive_buffer;
    child.send_buffer_set = listener.send_buffer_set;
    child.receive_buffer_set = listener.receive_buffer_set;
    child.low_water = listener.low_water;
    child.priority = listener.priority;
    child.mark = listener.mark;
    child.receive_timeout = listener.receive_timeout;
    child.send_timeout = listener.send_timeout;
    child.v6_only = listener.v6_only;
    child.numbers = listener.numbers;
}

TcpSocket* find_listener(const Endpoint& to, const Endpoint& from) {
    InetSocket* found = tcp_ports.best(to, from.port, [&to](const InetSocket& socket) {
        return socket.listening ? address_score(socket, to.address) : 0;
    });
    return static_cast<TcpSocket*>(found);
}

// The end at a listener's side of a connection that is there now; nullptr: out of memory.
TcpSocket* make_child(const TcpSocket& listener, const Endpoint& local, const Endpoint& remote) {
    TcpSocket* child = make_socket();
    if (child == nullptr)
        return nullptr;
    inherit(*child, listener);
    child->local = local;
    child->remote = remote;
    child->address_chosen = child->port_chosen = true;
    child->attached = true;
    tcp_ports.enter(*child);
    child->state = TcpState::established;
    return child;
}

// To be accepted, at once or when it has sent something.
void announce(TcpSocket& listener, TcpSocket& child) {
    if (listener.defer_seconds == 0)
        return offer(listener, child);
    child.is_deferred = true;
    child.listener = &listener;
    child.next_waiting = listener.deferred;
    listener.deferred = &child;
    const auto seconds = static_cast<std::uint64_t>(in_retransmissions(listener.defer_seconds));
    sched::arm(child.defer_timer, deadline_after(seconds * 1'000'000'000));
}

Status establish(TcpSocket& socket, TcpSocket& listener) {
    TcpSocket* child = make_child(listener, socket.remote, socket.local);
    if (child == nullptr)
        return base::Failure{Errno::nobufs};
    child->peer = &socket;
    socket.peer = child;
    socket.state = TcpState::established;
    socket.changed.wake(out_events);
    announce(listener, *child);
    return base::success;
}

// A port that it did not ask for is free again, and bind(2) possible.
void close_state(TcpSocket& socket) {
    socket.state = TcpState::closed;
    if (!socket.port_chosen)
        tcp_ports.remove(socket);
}

void refuse(TcpSocket& socket, Errno error) {
    close_state(socket);
    socket.shut = shut_both;
    socket.error = error;
    socket.changed.wake(everything);
}

void admit_connecting(TcpSocket& listener) {
    while (!queue_full(listener)) {
        TcpSocket* socket = take_first(listener.first_connecting, listener.last_connecting);
        if (socket == nullptr)
            return;
        if (!establish(*socket, listener).ok())
            refuse(*socket, Errno::timedout);
    }
}

// ---- Ends

// The other end sees a reset.
void reset_peer(TcpSocket& socket) {
    if (socket.far != nullptr)
        far_network->leave(socket, true);
    TcpSocket* peer = std::exchange(socket.peer, nullptr);
    if (peer == nullptr)
        return;
    peer->peer = nullptr;
    end_with(*peer, peer->state == TcpState::close_wait ? Errno::pipe : Errno::connreset);
}

// The other end sees that nothing more comes.
void send_fin(TcpSocket& socket) {
    TcpSocket* peer = socket.peer;
    if (peer == &socket) { // connected with itself: the end is its own
        socket.peer = nullptr;
        tcp_ports.keep_for_a_while(socket);
        close_state(socket);
        socket.shut = shut_both;
        socket.fin_received = true;
    } else if (socket.far != nullptr) {
        const bool last = socket.state == TcpState::close_wait;
        far_network->finish(socket);
        if (last) { // what is still on its way arrives without the socket
            far_network->leave(socket, false);
            close_state(socket);
        } else {
            socket.state = TcpState::fin_wait2;
        }
        return;
    } else if (socket.state == TcpState::established) {
        socket.state = TcpState::fin_wait2;
        if (peer != nullptr)
            peer->state = TcpState::close_wait;
    } else if (socket.state == TcpState::close_wait) { // the last one: both are done
        close_state(socket);
        if (peer != nullptr) {
            tcp_ports.keep_for_a_while(*peer);
            close_state(*peer);
            peer->shut = shut_both;
        }
    } else {
        return;
    }
    if (peer == nullptr || peer == &socket)
        return;
    if (peer->is_deferred)
        admit_deferred(*peer);
    peer->fin_received = true;
    peer->shut |= shut_receive;
    peer->changed.wake(everything);
}

// Without any connection, as if new; bound as it was chosen to be.
void disconnect(TcpSocket& socket) {
    stop_connecting(socket);
    reset_peer(socket);
    socket.in.clear();
    socket.state = TcpState::closed;
    socket.attached = socket.connecting = socket.ending = socket.fin_received = false;
    socket.urgent = TcpSocket::Urgent::none;
    socket.shut = 0;
    socket.remote = {};
    if (!socket.port_chosen)
        tcp_ports.remove(socket);
    if (!socket.address_chosen)
        socket.local.address = socket.is_v6() ? any_v6 : any_v4; // the port is still told
}

void stop_listening(TcpSocket& socket) {
    socket.listening = false;
    if (far_network != nullptr)
        far_network->stop_listening(socket);
    while (TcpSocket* waiting = take_first(socket.first_waiting, socket.last_waiting)) {
        reset_peer(*waiting);
        end_socket(*waiting);
    }
    socket.waiting = 0;
    while (TcpSocket* waiting = socket.deferred) {
        socket.deferred = waiting->next_waiting;
        waiting->listener = nullptr;
        reset_peer(*waiting);
        end_socket(*waiting);
    }
    while (TcpSocket* refused = take_first(socket.first_connecting, socket.last_connecting))
        refuse(*refused, Errno::connrefused);
}

// ---- Operations

Status begin_connection(TcpSocket& socket, const Address& address) {
    const Endpoint to = CAISSON_TRY(target_of(socket, address));
    if (!socket.in_table) {
        const Status bound = tcp_ports.bind(socket, source_for(socket, to.address), 0);
        if (!bound.ok())
            return base::Failure{Errno::addrnotavail};
    }
    socket.local.address = source_for(socket, to.address);
    socket.remote = to;
    socket.attached = socket.connecting = true;
    if (!is_here(to.address)) {
        socket.state = TcpState::syn_sent;
        const Status begun = far_network->connect(socket);
        if (!begun.ok())
            disconnect(socket);
        return begun;
    }
    TcpSocket* listener = to.port != 0 ? find_listener(to, socket.local) : nullptr;
    if (listener == nullptr && to == socket.local) { // both ends open at once: it is its own peer
        socket.peer = &socket;
        socket.state = TcpState::established;
        return base::success;
    }
    if (listener == nullptr || listener == &socket) {
        refuse(socket, Errno::connrefused);
        return base::success;
    }
    if (!queue_full(*listener)) {
        const Status established = establish(socket, *listener);
        if (!established.ok())
            disconnect(socket);
        return established;
    }
    socket.state = TcpState::syn_sent;
    socket.listener = listener;
    add_last(listener->first_connecting, listener->last_connecting, socket);
    return base::success;
}

Status connect(Socket& base_socket, Caller&, const Address& address, bool non_blocking, WaitQueue*& wait) {
    TcpSocket& socket = tcp_of(base_socket);
    if (address.size < sizeof(std::uint16_t))
        return base::Failure{Errno::inval};
    if (address.family() == family::unspecified) {
        if (socket.listening)
            stop_listening(socket);
        disconnect(socket);
        return base::success;
    }
    if (socket.ending)
        return base::Failure{Errno::inval};
    const bool first = !socket.attached;
    if (first) {
        if (socket.listening)
            return base::Failure{Errno::isconn};
        CAISSON_TRY(begin_connection(socket, address));
    } else if (!socket.connecting) {
        return base::Failure{Errno::isconn};
    }
    if (socket.state == TcpState::syn_sent) {
        if (!non_blocking)
            wait = &socket.changed;
        return base::Failure{non_blocking && !first ? Errno::already : Errno::inprogress};
    }
    if (first && non_blocking) // as if the answer had come a moment later
        return base::Failure{Errno::inprogress};
    socket.connecting = false;
    if (socket.state != TcpState::closed || socket.fin_received)
        return base::success;
    const Errno error = socket.take_error();
    disconnect(socket);
    return base::Failure{error != Errno{} ? error : Errno::connaborted};
}

Status listen(Socket& base_socket, Caller&, int backlog) {
    TcpSocket& socket = tcp_of(base_socket);
    if (socket.attached || (socket.state != TcpState::closed && socket.state != TcpState::listen))
        return base::Failure{Errno::inval};
    if (!socket.listening) {
        if (!socket.in_table)
            CAISSON_TRY(tcp_ports.bind(socket, socket.local.address, 0));
        socket.listening = true;
        if (tcp_ports.conflicts(socket)) {
            socket.listening = false;
            return base::Failure{Errno::addrinuse};
        }
        socket.state = TcpState::listen;
        socket.shut = 0;
    }
    socket.backlog = static_cast<std::uint32_t>(backlog);
    if (far_network != nullptr && !socket.local.address.loopback())
        CAISSON_TRY(far_network->listen(socket));
    admit_connecting(socket);
    return base::success;
}

Result<Socket*> accept(Socket& base_socket) {
    TcpSocket& socket = tcp_of(base_socket);
    if (!socket.listening)
        return base::Failure{Errno::inval};
    TcpSocket* accepted = take_first(socket.first_waiting, socket.last_waiting);
    if (accepted == nullptr)
        return base::Failure{Errno::again};
    --socket.waiting;
    if (accepted->far != nullptr)
        far_network->accepted(*accepted);
    if (socket.first_connecting != nullptr)
        admit_connecting(socket);
    return accepted;
}

Status shut_down(Socket& base_socket, unsigned how) {
    TcpSocket& socket = tcp_of(base_socket);
    Status result = base::success;
    if (socket.listening) {
        if ((how & shut_receive) != 0) {
            stop_listening(socket);
            disconnect(socket);
        }
    } else if (socket.state == TcpState::syn_sent) {
        disconnect(socket);
    } else {
        if (socket.state == TcpState::closed)
            result = base::Failure{Errno::notconn};
        socket.ending |= socket.connecting && socket.state == TcpState::closed;
        socket.connecting = false;
        socket.shut |= static_cast<std::uint8_t>(how);
        if ((how & shut_send) != 0)
            send_fin(socket);
    }
    socket.changed.wake(everything);
    return result;
}

Status name_of(Socket& base_socket, End which, Address& to) {
    TcpSocket& socket = tcp_of(base_socket);
    const bool connected = socket.state != TcpState::closed && socket.state != TcpState::syn_sent;
    if (which == End::peer && (socket.remote.port == 0 || !connected))
        return base::Failure{Errno::notconn};
    show(socket, which == End::own ? socket.local : socket.remote, to);
    return base::success;
}

void release(Socket& base_socket) {
    TcpSocket& socket = tcp_of(base_socket);
    if (socket.listening)
        stop_listening(socket);
    stop_connecting(socket);
    const bool aborts = !socket.in.empty() || (socket.lingers && socket.linger_seconds == 0);
    if (aborts) {
        reset_peer(socket);
    } else {
        const bool first_to_end =
            socket.state == TcpState::established || socket.state == TcpState::fin_wait2;
        if (socket.may_send() || socket.state == TcpState::close_wait ||
            socket.state == TcpState::established)
            send_fin(socket);
        if (first_to_end)
            tcp_ports.keep_for_a_while(socket);
        if (socket.far != nullptr)
            far_network->leave(socket, false);
    }
    if (socket.peer != nullptr)
        socket.peer->peer = nullptr;
    tcp_ports.remove(socket);
    mm::destroy(&socket);
}

const SocketKind tcp_kind{.bind = bind,
                          .connect = connect,
                          .listen = listen,
                          .accept = accept,
                          .send = tcp_send,
                          .receive = tcp_receive,
                          .shut_down = shut_down,
                          .name = name_of,
                          .set_option = set_tcp_option,
                          .get_option = get_tcp_option,
                          .control = tcp_control,
                          .readiness = tcp_readiness,
                          .release = release,
                          .stream = true};

} // namespace

void end_with(TcpSocket& socket, Errno error) {
    if (socket.is_deferred)
        admit_deferred(socket);
    close_state(socket);
    socket.shut = shut_both;
    socket.error = error;
    socket.changed.wake(everything);
}

DeferTimer::DeferTimer(TcpSocket& of)
    : Timer([](sched::Timer& timer) { admit_deferred(static_cast<DeferTimer&>(timer).socket); }), socket(of) {
}

void admit_deferred(TcpSocket& socket) {
    sched::disarm(socket.defer_timer);
    TcpSocket* listener = socket.listener;
    socket.is_deferred = false;
    if (listener == nullptr)
        return;
    unlink_from(listener->deferred, socket);
    offer(*listener, socket);
}

TcpSocket* far_accept(const Endpoint& local, const Endpoint& remote) {
    TcpSocket* listener = find_listener(local, remote);
    if (listener == nullptr || queue_full(*listener))
        return nullptr;
    TcpSocket* child = make_child(*listener, local, remote);
    if (child != nullptr)
        announce(*listener, *child);
    return child;
}

void far_connected(TcpSocket& socket) {
    socket.state = TcpState::established;
    socket.changed.wake(out_events);
}

bool far_finished(TcpSocket& socket) {
    const bool both = socket.state == TcpState::fin_wait2;
    if (socket.is_deferred)
        admit_deferred(socket);
    socket.fin_received = true;
    socket.shut |= shut_receive;
    if (both) {
        tcp_ports.keep_for_a_while(socket);
        socket.far = nullptr;
        close_state(socket);
    } else {
        socket.state = TcpState::close_wait;
    }
    socket.changed.wake(everything);
    return both;
}

void far_failed(TcpSocket& socket, Errno error) {
    socket.far = nullptr;
    if (socket.state == TcpState::syn_sent)
        refuse(socket, error);
    else
        end_with(socket,
                 socket.state == TcpState::close_wait && error == Errno::connreset ? Errno::pipe : error);
}

Result<Socket*> make_tcp() {
    TcpSocket* socket = make_socket();
    if (socket == nullptr)
        return base::Failure{Errno::nobufs};
    return socket;
}

} // namespace uk::net::inet
