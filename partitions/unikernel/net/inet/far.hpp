// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/far.hpp - where sockets reach beyond this kernel: what a network does for them, and what it tells.
//
// The room `wires` is one; without any there is the loopback alone. A connection to the outside is a TcpSocket whose `far` the
// network set; bytes that came lie in its queue as others do.
#pragma once

#include "partitions/unikernel/net/inet/tcp.hpp"

namespace uk::net::inet {

struct FarNetwork {
    bool (*is_own)(const IpAddress&);
    IpAddress (*source)(const IpAddress& target); // the own address from which it is reached
    // Whether there is a way, and a rule that lets this end begin. Errors: netunreach, hostunreach, acces.
    Status (*reach)(int protocol, const Endpoint& to);
    // syn_sent, or an error; far_connected or far_failed follows. Both its ends are set.
    Status (*connect)(TcpSocket&);
    // Connections to its port are offered by far_accept, until it is told to stop. nobufs.
    Status (*listen)(TcpSocket&);
    void (*stop_listening)(TcpSocket&);
    void (*accepted)(TcpSocket&); // left its listener's queue
    // At least one byte of it, or `again`.
    Result<std::uint64_t> (*send)(TcpSocket&, fs::Origin&, bool more);
    void (*took)(TcpSocket&, std::uint64_t bytes); // by the program, of what came
    void (*finish)(TcpSocket&);                    // nothing more is sent
    void (*leave)(TcpSocket&, bool reset);         // what was sent still arrives, unless it is reset
    bool (*has_room)(const TcpSocket&);
    std::uint64_t (*unacknowledged)(const TcpSocket&); // bytes
    // All that is left of it, as one datagram. Errors: msgsize, nobufs, fault and those of `reach`.
    Status (*send_datagram)(const Endpoint& from, const Endpoint& to, fs::Origin&);
};
inline const FarNetwork* far_network = nullptr;

// This machine, or the way out.
[[nodiscard]] inline bool is_here(const IpAddress& address) {
    return address.loopback() || (far_network != nullptr && far_network->is_own(address));
}

// What the network tells. The socket of a connection to `local`, not yet with a `far`; nullptr: nobody listens or there is no room.
[[nodiscard]] TcpSocket* far_accept(const Endpoint& local, const Endpoint& remote);
void far_connected(TcpSocket& socket);
// False: there was no memory for all of it, and the connection cannot go on.
[[nodiscard]] bool far_received(TcpSocket& socket, std::span<const std::byte> bytes);
// The other end sends no more. True: neither does this one, and the socket has forgotten its `far`.
[[nodiscard]] bool far_finished(TcpSocket& socket);
void far_failed(TcpSocket& socket, Errno error); // `far` is gone
void far_has_room(TcpSocket& socket);
void far_datagram(const Endpoint& from, const Endpoint& to, std::span<const std::byte> bytes, bool& nobody);
// Nobody is at `to`, which `from` sent a datagram to.
void far_unreachable(const Endpoint& from, const Endpoint& to, Errno error);

} // namespace uk::net::inet
