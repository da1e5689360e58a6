// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/inet/inet.hpp - what sockets of AF_INET and AF_INET6 share: ends, ports, options.
//
// There is one interface, the loopback: a packet is in its receiver's queue when the send returns, so there are
// no segments, timers or retransmissions; states, options and errors are those that programs see on Linux.
// Spec: ip(7), ipv6(7), tcp(7), udp(7).
#pragma once

#include "partitions/unikernel/net/socket.hpp"

#include <array>

namespace uk::net::inet {

inline constexpr int level_ip = 0, level_tcp = 6, level_udp = 17, level_ipv6 = 41, level_udplite = 136;

// Options that are a number and nothing else; options.cpp has the table.
enum Number : std::uint8_t {
    ip_tos,
    ip_ttl,
    ip_packet_information,
    ip_mtu_discover,
    ip_receive_errors,
    ip_receive_ttl,
    ip_receive_tos,
    ip_receive_options,
    ip_free_bind,
    ip_transparent,
    ip_bind_no_port,
    ip_minimum_ttl,
    ip_original_target,
    ip_multicast_ttl,
    ip_multicast_loop,
    ip_multicast_all,
    v6_unicast_hops,
    v6_multicast_interface,
    v6_multicast_hops,
    v6_multicast_loop,
    v6_mtu_discover,
    v6_receive_errors,
    v6_receive_packet_information,
    v6_receive_hop_limit,
    v6_receive_class,
    v6_class,
    v6_do_not_fragment,
    v6_free_bind,
    tcp_no_delay,
    tcp_maximum_segment,
    tcp_cork,
    tcp_keep_idle,
    tcp_keep_interval,
    tcp_keep_count,
    tcp_syn_count,
    tcp_linger2,
    tcp_window_clamp,
    tcp_quick_ack,
    tcp_user_timeout,
    tcp_fast_open,
    tcp_unsent_low_water,
    tcp_save_syn,
    tcp_fast_open_connect,
    tcp_inquire,
    udp_cork,
    number_count,
};
using Numbers = std::array<std::int32_t, number_count>;

// Ancillary data of IPv6 both ways: RFC 3542 section 6.
inline constexpr std::int32_t hop_limit = 52, traffic_class = 67;

struct InetSocket : Socket {
    Endpoint local, remote; // remote.port 0: not connected
    bool v6_only = false;
    bool in_table = false;
    bool address_chosen = false; // by bind(2): kept when it disconnects
    bool port_chosen = false;
    InetSocket* next_in_table = nullptr;
    IpAddress multicast_from; // IP_MULTICAST_IF
    Numbers numbers;

    [[nodiscard]] bool is_v6() const { return family == family::inet6; }
    [[nodiscard]] bool covers_v4() const {
        return local.address.is_v4() || (local.address == any_v6 && !v6_only);
    }
    [[nodiscard]] bool covers_v6() const { return !local.address.is_v4(); }
};
[[nodiscard]] inline InetSocket& inet_of(Socket& socket) {
    return static_cast<InetSocket&>(socket);
}

[[nodiscard]] Result<Socket*> make(Caller& caller, std::uint16_t of_family, Type type, int protocol);
[[nodiscard]] Result<Socket*> make_tcp();
[[nodiscard]] Result<Socket*> make_udp();
void set_defaults(InetSocket& socket);

// Options of IP, IPv6, TCP and UDP that are numbers, and those with a form of their own (options.cpp).
[[nodiscard]] Status set_number_option(InetSocket& socket, Caller& caller, int level, int name,
                                       std::span<const std::byte> value);
[[nodiscard]] Result<std::uint32_t> get_number_option(InetSocket& socket, int level, int name,
                                                      std::span<std::byte> to);

// bind(2), getsockname(2), getpeername(2) of TCP and UDP alike.
[[nodiscard]] Status bind(Socket& socket, Caller& caller, const Address& address);
void show(const InetSocket& socket, const Endpoint& endpoint, Address& to);
// The end that a connect or a send names, as it is reached: this machine for "any". Errors: inval,
// afnosupport, netunreach.
[[nodiscard]] Result<Endpoint> target_of(const InetSocket& socket, const Address& address);
[[nodiscard]] IpAddress source_for(const InetSocket& socket, const IpAddress& target);

// Which socket has which port. One table for TCP, one for UDP.
class PortTable {
public:
    // Gives the socket its address and port; 0: a free one of the ephemeral range. addrinuse.
    [[nodiscard]] Status bind(InetSocket& socket, const IpAddress& address, std::uint16_t port);
    // The same port as another's, without a question: an accepted connection.
    void enter(InetSocket& socket);
    void remove(InetSocket& socket);
    // Would this socket, bound as it is, be in the way of another?
    [[nodiscard]] bool conflicts(const InetSocket& socket) const;
    // The best receiver of what comes from `from` to `to`: `score` gives 0 for none at all. Of equally good
    // ones (SO_REUSEPORT) `choice` selects.
    template <typename Score>
    [[nodiscard]] InetSocket* best(const Endpoint& to, std::uint32_t choice, Score score) const {
        InetSocket* found = nullptr;
        unsigned highest = 0, equals = 0;
        for (InetSocket* socket = buckets_[to.port % bucket_count]; socket != nullptr;
             socket = socket->next_in_table) {
            if (socket->local.port != to.port)
                continue;
            const unsigned value = score(*socket);
            if (value > highest) {
                highest = value;
                found = socket;
                equals = 1;
            } else if (value != 0 && value == highest && socket->reuse_port && choice % ++equals == 0) {
                found = socket;
            }
        }
        return found;
    }
    template <typename Visit> void each(Visit visit) const {
        for (InetSocket* first : buckets_)
            for (InetSocket* socket = first; socket != nullptr; socket = socket->next_in_table)
                visit(*socket);
    }
    // TCP: who closed first keeps its end for a minute.
    void keep_for_a_while(const InetSocket& socket);

private:
    static constexpr std::size_t bucket_count = 256;
    struct Kept {
        Endpoint end;
        bool reuse_address = false;
        std::uint64_t until = 0;
    };
    [[nodiscard]] bool port_in_use(std::uint16_t port) const;

    InetSocket* buckets_[bucket_count] = {};
    // Made when the first end is kept: most programs keep none.
    std::array<Kept, bucket_count>* kept_ = nullptr;
};
extern PortTable tcp_ports, udp_ports;
[[nodiscard]] inline PortTable& ports_of(const InetSocket& socket) {
    return socket.type == Type::stream ? tcp_ports : udp_ports;
}

// How well `to` fits a bound address: 0 not at all, 3 exactly, 2 any address of its family, 1 any of both.
[[nodiscard]] unsigned address_score(const InetSocket& socket, const IpAddress& to);

} // namespace uk::net::inet
