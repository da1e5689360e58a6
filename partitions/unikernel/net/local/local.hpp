// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/local/local.hpp - sockets of AF_UNIX: what their files share.
// Spec: unix(7).
#pragma once

#include "partitions/unikernel/net/socket.hpp"

namespace uk::net::local {

struct LocalSocket : Socket {
    enum class State : std::uint8_t { closed, listening, connected };
    State state = State::closed;
    bool peer_died = false; // a datagram socket's: told once

    Ref<Name> name;      // empty: none
    Ref<Name> peer_name; // stays when the peer goes
    Ref<fs::Node> node;  // a name in the file system: of this node
    LocalSocket* next_named = nullptr;

    LocalSocket* peer = nullptr;    // whom it sends to
    LocalSocket* senders = nullptr; // datagrams: who is connected to this one
    LocalSocket* next_sender = nullptr;
    Identity peer_identity;

    ByteQueue bytes;     // streams
    PacketQueue packets; // the others
    Ref<SendAccount> account;
    bool wants_room = false; // it was told `again` when it sent

    // A listener, and those it has not accepted yet.
    std::uint32_t backlog = 0;
    LocalSocket* first_waiting = nullptr;
    LocalSocket* last_waiting = nullptr;
    LocalSocket* next_waiting = nullptr;
    LocalSocket* listener = nullptr; // of one that waits
    std::uint32_t waiting = 0;
    WaitQueue room; // those who wait to connect, or to send a datagram here

    // Files in flight (collect.cpp).
    std::uint32_t in_flight = 0;
    LocalSocket* next_in_flight = nullptr;
    LocalSocket* previous_in_flight = nullptr;
    std::uint32_t outside = 0;
    bool candidate = false;
    LocalSocket* next_candidate = nullptr;
    LocalSocket* previous_candidate = nullptr;

    LocalSocket* next_listed = nullptr; // of all, for /proc/net/unix
    LocalSocket* previous_listed = nullptr;

    [[nodiscard]] bool connection_oriented() const { return type != Type::datagram; }
    [[nodiscard]] std::uint64_t unread_by_peer() const;
};

[[nodiscard]] inline LocalSocket& local_of(Socket& socket) {
    return static_cast<LocalSocket&>(socket);
}

extern const SocketKind stream_kind, packet_kind; // packet: datagram and seqpacket

[[nodiscard]] Result<Socket*> make(Type type, int protocol);
void pair(Caller& caller, Socket& first, Socket& second);
[[nodiscard]] Identity peer_of(Socket& socket); // SO_PEERCRED

// Names (names.cpp).
[[nodiscard]] Status bind(Socket& socket, Caller& caller, const Address& address);
[[nodiscard]] Status bind_to_free_name(LocalSocket& socket); // autobind
void forget_name(LocalSocket& socket);
// Whom an address names. Errors: inval, noent, acces, connrefused, prototype, ...
[[nodiscard]] Result<LocalSocket*> find(Caller& caller, const Address& address, Type type);
void show_name(const Name* name, Address& to);

// Common to streams and packets (connect.cpp).
[[nodiscard]] Status connect(Socket& socket, Caller& caller, const Address& address, bool non_blocking,
                             WaitQueue*& wait);
[[nodiscard]] Status listen(Socket& socket, Caller& caller, int backlog);
[[nodiscard]] Result<Socket*> accept(Socket& socket);
[[nodiscard]] Status shut_down(Socket& socket, unsigned how);
[[nodiscard]] Status name_of(Socket& socket, End which, Address& to);
void release(Socket& socket);
void set_peer(LocalSocket& socket, LocalSocket* peer); // a datagram socket's, or nullptr
// A connected datagram socket hears its peer alone, also when that is gone and a send has not told it.
[[nodiscard]] bool takes_from(const LocalSocket& receiver, const LocalSocket& sender);
[[nodiscard]] bool writable(const LocalSocket& socket);
// The sender as a message carries it: told only where somebody asks or claims.
[[nodiscard]] Identity sender_of(const LocalSocket& socket, const LocalSocket& receiver, const Outgoing& out);

// Circles of sockets in flight (collect.cpp).
void count_flight(fs::File& file, int by);
void leave_flight_list(LocalSocket& socket);
void collect_circles();   // once, after what is being dropped now
void collect_if_wanted(); // it is dropped

// All of them, the newest first.
void each_socket(void (*visit)(const LocalSocket& socket, void* context), void* context);
void list_socket(LocalSocket& socket);
void unlist_socket(LocalSocket& socket);

} // namespace uk::net::local
