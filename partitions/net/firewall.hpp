// SPDX-License-Identifier: Apache-2.0
// partitions/net/firewall.hpp - the rules of one partition, and the connections that they have admitted.
//
// A rule admits the first packet of a connection; what belongs to a connection passes both ways. Each end of a wire applies its
// own: the receiver protects itself, the sender's kernel tells its program early. Pure; nothing is allocated, nothing waits.
//
// Invariants: I1  an inbound packet passes only from the address of the peer whose lane it came over, to the own one; from the
//                 outside only with an address that can be there
//             I2  it passes only with a rule for its connection's first packet, or as a part of a connection that had one
//                 (a segment from the outside of none, to an open port, begins one: its TCP answers with a reset)
//             I3  a connection that both ends use is not displaced by others' first packets
// Not looked at: sequence numbers (the TCP behind it does).
#pragma once

#include "partitions/net/packet.hpp"

#include <array>

namespace net {

struct Rule {
    std::uint8_t peer = 0; // its number
    bool inbound = false;  // the peer begins
    std::uint8_t protocol = protocol::any;
    std::uint16_t first_port = 0, last_port = 0xFFFF; // of the end that does not begin
    std::uint64_t admitted = 0;                       // connections
    std::uint32_t network = 0, mask = 0;              // of the peer's address: which of the outside
    std::uint16_t limit = 0; // which of the container's rates it shares, + 1, kept by translator.hpp; 0: none
    // It is about IPv6, else about IPv4: what is about both are two rules.
    bool v6 = false;
    std::uint8_t prefix6 = 0;
    Address6 network6{}; // of the peer's address, in place of `network` and `mask`
};

// One other partition, or the outside: all that a network card reaches.
struct Peer {
    std::uint32_t address = 0; // IPv4; of the outside: none
    bool outside = false;      // then the rest counts
    std::uint32_t own = 0;     // the own address there
    std::uint32_t inside = 0,
                  inside_mask = 0; // the wires' subnet, which nobody there has; mask 0: there is none
    std::uint32_t gateway = 0;     // but for the uplink, which answers for name servers; 0: there is none
    const OwnAddresses6* own6 =
        nullptr; // the own ones of IPv6 there, as they are now; none: IPv4 alone is spoken
};

// One that was admitted. All zero: none.
struct Connection {
    enum class State : std::uint8_t { none, opening, open, closing };
    std::uint64_t until = 0; // ns; then it is forgotten
    Address6 peer_address{}; // of the peer's end, IPv4's as mapped()
    std::uint16_t own_port = 0, peer_port = 0;
    std::uint16_t next = 0; // in its bucket, + 1
    std::uint8_t peer = 0, protocol = 0;
    State state = State::none;
    bool peer_began = false;
    std::uint8_t ended = 0; // who has sent FIN: 1 the own end, 2 the peer
    std::uint16_t rule = 0; // which admitted it
};

class Firewall {
public:
    // The spans stay the caller's, and stay; at most 65,535 connections, 255 peers. `table` is all zero.
    Firewall(std::uint32_t own_address, std::span<const Peer> peers, std::span<Rule> rules,
             std::span<Connection> table)
        : own_(own_address), peers_(peers), rules_(rules), table_(table) {}

    // A packet that came over `peer`'s lane. pass: `packet` is what it says.
    [[nodiscard]] Verdict inbound(std::uint8_t peer, std::span<const std::byte> bytes, std::uint64_t now_ns,
                                  Packet& packet);
    // One that goes to it.
    [[nodiscard]] Verdict outbound(std::uint8_t peer, std::span<const std::byte> bytes, std::uint64_t now_ns,
                                   Packet& packet);
    // Whether a rule lets the own end begin a connection: what connect(2) and sendto(2) ask first.
    [[nodiscard]] bool may_begin(std::uint8_t peer, std::uint8_t protocol, const Address6& address,
                                 std::uint16_t port) const;
    [[nodiscard]] bool may_begin(std::uint8_t peer, std::uint8_t protocol, std::uint32_t address,
                                 std::uint16_t port) const {
        return may_begin(peer, protocol, mapped(address), port);
    }
    // The connection that the last packet which passed is of, or about; nobody's after any other call.
    [[nodiscard]] const Connection* passed() const { return passed_; }
    // The peer's program is another one now: its connections are over.
    void forget(std::uint8_t peer);

    [[nodiscard]] std::uint64_t dropped_inbound(Verdict why) const {
        return in_[static_cast<std::size_t>(why)];
    }
    [[nodiscard]] std::uint64_t dropped_outbound(Verdict why) const {
        return out_[static_cast<std::size_t>(why)];
    }
    [[nodiscard]] std::span<const Rule> rules() const { return rules_; }

private:
    using Counts = std::array<std::uint64_t, verdict_count>;
    static constexpr std::size_t buckets = 256;
    struct Key {
        std::uint8_t peer, protocol;
        std::uint16_t own_port, peer_port;
        Address6 peer_address;
    };
    [[nodiscard]] Verdict parse_of(std::uint8_t peer, std::span<const std::byte> bytes, Packet& packet) const;
    [[nodiscard]] bool is_own(std::uint8_t peer, const Address6& address) const;
    [[nodiscard]] bool is_at(std::uint8_t peer, const Address6& address) const;
    [[nodiscard]] bool is_at(std::uint8_t peer, std::uint32_t address) const;
    [[nodiscard]] Verdict judge(const Key& key, const Packet& packet, bool from_peer, std::uint64_t now);
    [[nodiscard]] bool is_astray(const Key& key, const Packet& packet, bool from_peer) const;
    [[nodiscard]] Connection* find(const Key& key, std::uint64_t now);
    [[nodiscard]] Connection* make(const Key& key, std::uint64_t now);
    void drop(Connection& connection);
    [[nodiscard]] Rule* rule_for(std::uint8_t peer, bool inbound, std::uint8_t protocol,
                                 const Address6& address, std::uint16_t port) const;
    [[nodiscard]] static std::size_t bucket_of(const Key& key);
    static void advance(Connection& connection, const Packet& packet, bool from_peer, std::uint64_t now);

    std::uint32_t own_;
    std::span<const Peer> peers_;
    std::span<Rule> rules_;
    std::span<Connection> table_;
    std::array<std::uint16_t, buckets> first_{}; // place in the table, + 1
    std::size_t hand_ = 0;                       // where the search for a place goes on
    const Connection* passed_ = nullptr;
    Counts in_{}, out_{};
};

} // namespace net
