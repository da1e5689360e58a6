// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/stack.hpp - what the files of this room share.
#pragma once

#include "partitions/unikernel/wires/wires.hpp"

#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

namespace uk::wires {

struct Stack {
    Configuration configuration;
    ::net::Firewall firewall;
    netif interface {
    }, uplink_interface{}; // to the wires

    // Whether an address is of the wires' subnet. The uplink's is where the outside begins.
    [[nodiscard]] bool is_inside(std::uint32_t address) const {
        const bool is_uplink = configuration.uplink != nullptr && address == configuration.outside->gateway;
        return configuration.prefix != 0 && !is_uplink &&
               (address ^ configuration.address) >> (32 - configuration.prefix) == 0;
    }
    [[nodiscard]] bool is_outside(std::uint8_t peer) const { return peer == configuration.links.size(); }
    [[nodiscard]] bool has_card() const {
        return configuration.outside != nullptr && configuration.uplink == nullptr;
    }
    [[nodiscard]] bool has_six() const {
        return has_card() && configuration.outside->six.way != station::Six::Way::none;
    }
    // Of a peer that is behind one.
    [[nodiscard]] Link& link_to(std::uint8_t peer) const {
        return is_outside(peer) ? *configuration.uplink : configuration.links[peer];
    }
};
[[nodiscard]] Stack& stack(); // after start()
[[nodiscard]] bool is_started();

inline constexpr std::uint8_t no_peer = 0xFF;
[[nodiscard]] std::uint8_t peer_at(std::uint32_t address); // its number; of what is not inside, the outside's
[[nodiscard]] std::uint8_t peer_at(const net::IpAddress& address);            // IPv6 is outside
[[nodiscard]] inline ::net::Address6 number6(const net::IpAddress& address) { // IPv4's: mapped
    return ::net::read_address6(std::as_bytes(std::span{address.octets}));
}
[[nodiscard]] inline net::IpAddress address_of(const ::net::Address6& number) {
    net::IpAddress out;
    ::net::write_address6(number, std::as_writable_bytes(std::span{out.octets}));
    return out;
}
[[nodiscard]] inline std::size_t header_of(const ::net::Packet& packet) { // bytes of IP's
    return packet.v6 ? ::net::ip6_header : ::net::ip_header;
}

// Sends a packet of `bytes` that `write` puts where it is told. Errors: nobufs (no room), acces (a rule), fault.
using Write = Status (*)(void* context, std::span<std::byte> to);
[[nodiscard]] Status transmit(std::uint8_t peer, std::uint32_t bytes, Write write, void* context);
void ring_touched();
void look_at_uplink(); // whether it is there

// outside.cpp
[[nodiscard]] bool start_outside(); // false: out of memory
[[nodiscard]] Status transmit_outside(std::uint32_t bytes, Write write, void* context);
inline constexpr std::uint32_t outside_mtu = station::mtu;

// time_of_day.cpp
void start_time_of_day();
void run_time_of_day(); // twice a second
// An answer to what was asked. False: it is none of them, but somebody's datagram.
[[nodiscard]] bool take_time_of_day(const ::net::Packet& packet, std::span<const std::byte> bytes);

// datagrams.cpp
void begin_packet(std::span<std::byte> to, std::uint8_t protocol, const net::IpAddress& source,
                  const net::IpAddress& target); // of one family; its header, whose size is header_of()'s
[[nodiscard]] Status send_datagram(const net::Endpoint& from, const net::Endpoint& to, fs::Origin& bytes);
void receive_datagram(std::uint8_t peer, const ::net::Packet& packet, std::span<const std::byte> bytes);
void receive_message(std::uint8_t peer, const ::net::Packet& packet, std::span<std::byte> bytes); // ICMP

// connections.cpp
extern const net::inet::FarNetwork network;
void reset_connections(std::uint8_t peer); // it has another life
// Before lwIP is given a segment: one that begins a connection anew may do so.
void make_way(const ::net::Packet& packet, std::span<const std::byte> bytes);
void run_connections(); // TCP's clock
void try_again();       // there is room in a lane once more

} // namespace uk::wires
