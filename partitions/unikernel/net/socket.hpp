// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/socket.hpp - the one socket layer: what all sockets have, and what each kind does.
//
// A kind (local streams, local packets, TCP, UDP, netlink) is a SocketKind, defined beside its state. Nothing
// here waits or reads user memory: an operation that would have to wait returns Errno::again (connect:
// inprogress), says in what queue the socket's progress is told, and is made again. Who waits is syscalls/.
//
// Invariants: I1  a socket belongs to one File, or lies in the queue of the listener that accepts it
//             I2  whoever points at another socket is taken off by that one's release
#pragma once

#include "partitions/unikernel/fs/context.hpp"
#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/net/packet_queue.hpp"

namespace uk::net {

enum class Type : std::uint8_t { stream = 1, datagram = 2, raw = 3, sequenced = 5 };

namespace message { // MSG_...
inline constexpr std::uint32_t out_of_band = 1, peek = 2, control_truncated = 8, truncated = 0x20,
                               dont_wait = 0x40, end_of_record = 0x80, wait_all = 0x100, error_queue = 0x2000,
                               no_signal = 0x4000, more = 0x8000, wait_for_one = 0x10000,
                               close_on_exec = 0x40000000;
}

// shutdown(2)
inline constexpr unsigned shut_receive = 1, shut_send = 2, shut_both = 3;

// The process that makes a call.
struct Caller {
    const fs::Credentials& who;
    int process;
    fs::Context* context = nullptr; // for names in the file system

    [[nodiscard]] Identity identity() const { return {process, who.effective_user, who.effective_group}; }
    [[nodiscard]] Identity real_identity() const { return {process, who.real_user, who.real_group}; }
    [[nodiscard]] bool administers() const { return who.can(capability::administer_network); }
    // What an administrator may, and who has raw sockets.
    [[nodiscard]] bool privileged() const { return administers() || who.can(capability::raw_network); }
};

// One message to send.
struct Outgoing {
    Caller& caller;
    std::uint32_t flags = 0;
    const Address* to = nullptr;
    Identity sender; // the process's, or what SCM_CREDENTIALS claims with a right to
    bool claimed = false;
    OwnedRights rights;
    WaitQueue* wait = nullptr; // again: the queue that tells, where it is not the socket's own
    std::int32_t hop_limit = -1, traffic_class = -1; // IPV6_HOPLIMIT, IPV6_TCLASS; -1: the socket's
};

// One message received.
struct Incoming {
    std::uint32_t flags = 0;
    std::uint32_t told = 0;  // MSG_... for msg_flags
    std::uint64_t whole = 0; // bytes of the message, where MSG_TRUNC asks for them
    Address from;            // size 0: none
    OwnedRights rights;
    bool has_sender = false; // SCM_CREDENTIALS
    Identity sender;
    bool has_target = false; // IP_PKTINFO and its like
    Endpoint target;
    std::uint8_t hop_limit = 0, traffic_class = 0; // of IPv6
    std::uint64_t arrived = 0;                     // SO_TIMESTAMP; 0: not asked for
};

struct Socket;

// Of a connection just accepted the peer's name is told even when it is gone.
enum class End : std::uint8_t { own, peer, accepted_peer };

struct SocketKind {
    Status (*bind)(Socket&, Caller&, const Address&) = nullptr;
    // inprogress: it goes on (or, with `wait` set, `wait` tells when to try again). Made again while it does.
    Status (*connect)(Socket&, Caller&, const Address&, bool non_blocking, WaitQueue*& wait) = nullptr;
    Status (*listen)(Socket&, Caller&, int backlog) = nullptr;
    Result<Socket*> (*accept)(Socket&) = nullptr; // the caller owns it
    Result<std::uint64_t> (*send)(Socket&, fs::Origin&, Outgoing&) = nullptr;
    Result<std::uint64_t> (*receive)(Socket&, fs::Destination&, Incoming&) = nullptr;
    Status (*shut_down)(Socket&, unsigned how) = nullptr;
    Status (*name)(Socket&, End which, Address& to) = nullptr;
    // Options of other levels than SOL_SOCKET. noprotoopt: there is none of this name.
    Status (*set_option)(Socket&, Caller&, int level, int name, std::span<const std::byte>) = nullptr;
    Result<std::uint32_t> (*get_option)(Socket&, int level, int name, std::span<std::byte>) = nullptr;
    Result<std::uint64_t> (*control)(Socket&,
                                     std::uint32_t request) = nullptr; // SIOCINQ, SIOCOUTQ, SIOCATMARK
    std::uint32_t (*readiness)(Socket&) = nullptr;
    void (*room_again)(Socket&) = nullptr; // a packet of its was received
    void (*release)(Socket&) = nullptr;    // frees it
    bool stream = false;                   // a send goes on until all is sent
};

struct Socket {
    const SocketKind* kind = nullptr;
    fs::File* file = nullptr; // not referenced; nullptr: in the queue of a listener
    std::uint16_t family = 0;
    Type type = Type::stream;
    std::uint8_t shut = 0; // shut_...
    bool listening = false;
    int protocol = 0;
    Errno error{}; // pending, told once; 0: none

    // SOL_SOCKET
    bool reuse_address = false, reuse_port = false, keep_alive = false, broadcast = false, oob_inline = false,
         lingers = false, pass_credentials = false, dont_route = false, debug = false, timestamp = false,
         timestamp_ns = false, no_check = false;
    std::uint32_t linger_seconds = 0;
    std::uint32_t send_buffer = default_buffer, receive_buffer = default_buffer;
    bool send_buffer_set = false, receive_buffer_set = false;
    std::int32_t low_water = 1, priority = 0, mark = 0, peek_offset = -1;
    std::uint64_t receive_timeout = 0, send_timeout = 0; // ns; 0: none
    std::uint32_t user = 0;                              // who made it
    WaitQueue changed;

    static constexpr std::uint32_t default_buffer = 212992; // net.core.{r,w}mem_default and _max

    [[nodiscard]] bool may_receive() const { return (shut & shut_receive) == 0; }
    [[nodiscard]] bool may_send() const { return (shut & shut_send) == 0; }
    // The pending error, which is gone then.
    [[nodiscard]] Errno take_error() { return std::exchange(error, Errno{}); }
};

inline constexpr std::uint32_t in_events = fs::ready::in | fs::ready::in_normal,
                               out_events = fs::ready::out | fs::ready::out_normal | 0x200 /* POLLWRBAND */,
                               end_events = fs::ready::hang_up | fs::ready::error | fs::ready::read_hang_up;

extern const fs::FileOperations socket_file;

// Errors: afnosupport, protonosupport, socktnosupport, inval, nobufs, acces.
[[nodiscard]] Result<Socket*> make_socket(Caller& caller, int of_family, std::uint32_t type, int protocol);
[[nodiscard]] inline Socket& socket_of(fs::File& file) {
    return *static_cast<Socket*>(file.state);
}
// Puts a socket behind a file of socket_file; the file owns it then.
void give_socket(fs::File& file, Socket& socket);
void end_socket(Socket& socket); // one that has no file

// Two connected local sockets.
struct SocketPair {
    Socket *first, *second;
};
[[nodiscard]] Result<SocketPair> make_pair(Caller& caller, int of_family, std::uint32_t type, int protocol);

// Options of every level. Errors: noprotoopt, inval, perm, dom.
[[nodiscard]] Status set_option(Socket& socket, Caller& caller, int level, int name,
                                std::span<const std::byte> value);
// Bytes of the value, at most to.size().
[[nodiscard]] Result<std::uint32_t> get_option(Socket& socket, int level, int name, std::span<std::byte> to);

// For options: an int, or a structure, in and out. inval: too short.
[[nodiscard]] Result<std::int32_t> option_number(std::span<const std::byte> value);
template <typename T> [[nodiscard]] Result<T> option_value(std::span<const std::byte> value) {
    T out{};
    if (value.size() < sizeof(T))
        return base::Failure{Errno::inval};
    std::memcpy(&out, value.data(), sizeof(T));
    return out;
}
template <typename T> std::uint32_t put_option(std::span<std::byte> to, const T& value) {
    const auto bytes = static_cast<std::uint32_t>(std::min(to.size(), sizeof(T)));
    std::memcpy(to.data(), &value, bytes);
    return bytes;
}

} // namespace uk::net
