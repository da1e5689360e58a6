// SPDX-License-Identifier: Apache-2.0
// partitions/net/firewall.cpp - see firewall.hpp.
#include "partitions/net/firewall.hpp"

namespace net {

namespace {

using State = Connection::State;

constexpr std::uint64_t second = 1'000'000'000, minute = 60 * second;
constexpr std::uint64_t opening_time = 30 * second, open_time = 5 * 24 * 60 * minute, closing_time = minute,
                        reset_time = 10 * second, datagram_time = 30 * second, answered_time = 3 * minute;
constexpr std::size_t places_looked_at = 16; // for a place, where the table is full
constexpr std::uint8_t own_end = 1, peer_end = 2;

bool begins(const Packet& packet) {
    constexpr std::uint8_t looked_at =
        tcp_flag::syn | tcp_flag::acknowledge | tcp_flag::reset | tcp_flag::fin;
    if (packet.protocol == protocol::tcp)
        return (packet.flags & looked_at) == tcp_flag::syn;
    return packet.protocol == protocol::udp ||
           packet.type == (packet.v6 ? icmp6_type::echo : icmp_type::echo);
}

bool is_about(const Rule& rule, const Address6& address) {
    if (rule.v6)
        return !is_mapped(address) && is_within(address, rule.network6, rule.prefix6);
    return is_mapped(address) && (v4_of(address) & rule.mask) == rule.network;
}

} // namespace

std::size_t Firewall::bucket_of(const Key& key) {
    const std::uint64_t address = key.peer_address.high ^ key.peer_address.low;
    const std::uint32_t mixed = (std::uint32_t{key.own_port} << 16 | key.peer_port) * 0x9E3779B1u ^
                                (std::uint32_t{key.peer} << 8 | key.protocol) * 0x85EBCA6Bu ^
                                static_cast<std::uint32_t>(address ^ address >> 32) * 0xC2B2AE35u;
    return mixed >> 24;
}

// What can be at the peer's end. Of the outside: a host's, but none of this end's or of the wires', except the uplink's.
bool Firewall::is_at(std::uint8_t peer, std::uint32_t address) const {
    const Peer& who = peers_[peer];
    if (!who.outside)
        return address == who.address;
    const bool inside = who.inside_mask != 0 && (address & who.inside_mask) == who.inside;
    if (inside && address == who.gateway && address != who.own)
        return true;
    return is_of_a_host(address) && address != who.own && !inside;
}

bool Firewall::is_at(std::uint8_t peer, const Address6& address) const {
    if (is_mapped(address))
        return is_at(peer, v4_of(address));
    const Peer& who = peers_[peer];
    return who.outside && is_of_a_host(address) && !is_own(peer, address);
}

bool Firewall::is_own(std::uint8_t peer, const Address6& address) const {
    const Peer& who = peers_[peer];
    if (is_mapped(address))
        return v4_of(address) == (who.outside ? who.own : own_);
    return who.own6 != nullptr && who.own6->has(address);
}

// Wires, and the uplink, carry IPv4.
Verdict Firewall::parse_of(std::uint8_t peer, std::span<const std::byte> bytes, Packet& packet) const {
    if (peers_[peer].own6 == nullptr || !is_version_6(bytes))
        return parse(bytes, packet);
    const Verdict verdict = parse6(bytes, packet);
    // One of IPv4's among these would be taken for it.
    const bool forged = is_mapped(packet.source6) || is_mapped(packet.target6) ||
                        is_mapped(packet.about.source6) || is_mapped(packet.about.target6);
    return verdict == Verdict::pass && forged ? Verdict::source : verdict;
}

Rule* Firewall::rule_for(std::uint8_t peer, bool inbound, std::uint8_t protocol, const Address6& address,
                         std::uint16_t port) const {
    for (Rule& rule : rules_)
        if (rule.peer == peer && rule.inbound == inbound && is_about(rule, address) &&
            (rule.protocol == protocol::any ||
             (rule.protocol == protocol && port >= rule.first_port && port <= rule.last_port)))
            return &rule;
    return nullptr;
}

bool Firewall::may_begin(std::uint8_t peer, std::uint8_t protocol, const Address6& address,
                         std::uint16_t port) const {
    return rule_for(peer, false, protocol, address, port) != nullptr;
}

Connection* Firewall::find(const Key& key, std::uint64_t now) {
    for (std::uint16_t at = first_[bucket_of(key)]; at != 0; at = table_[at - 1].next) {
        Connection& one = table_[at - 1];
        if (one.peer != key.peer || one.protocol != key.protocol || one.own_port != key.own_port ||
            one.peer_port != key.peer_port || one.peer_address != key.peer_address)
            continue;
        if (one.until > now)
            return &one;
        drop(one);
        return nullptr;
    }
    return nullptr;
}

void Firewall::drop(Connection& connection) {
    const Key key{connection.peer, connection.protocol, connection.own_port, connection.peer_port,
                  connection.peer_address};
    const auto place = static_cast<std::uint16_t>(&connection - table_.data() + 1);
    std::uint16_t* link = &first_[bucket_of(key)];
    while (*link != place)
        link = &table_[*link - 1].next;
    *link = connection.next;
    connection = {};
}

Connection* Firewall::make(const Key& key, std::uint64_t now) {
    // A free place, else that of one that nobody answered; what is in use stays (I3).
    for (std::size_t looked = 0; looked < places_looked_at && looked < table_.size(); ++looked) {
        hand_ = hand_ + 1 < table_.size() ? hand_ + 1 : 0;
        Connection& place = table_[hand_];
        if (place.state == State::open && place.until > now)
            continue;
        if (place.state != State::none)
            drop(place);
        std::uint16_t& first = first_[bucket_of(key)];
        place.peer = key.peer;
        place.protocol = key.protocol;
        place.own_port = key.own_port;
        place.peer_port = key.peer_port;
        place.peer_address = key.peer_address;
        place.state = State::opening;
        place.next = first;
        first = static_cast<std::uint16_t>(hand_ + 1);
        return &place;
    }
    return nullptr;
}

void Firewall::advance(Connection& connection, const Packet& packet, bool from_peer, std::uint64_t now) {
    const bool answer = from_peer != connection.peer_began;
    if (packet.protocol != protocol::tcp) {
        if (answer)
            connection.state = State::open;
        connection.until = now + (connection.state == State::open ? answered_time : datagram_time);
        return;
    }
    if ((packet.flags & tcp_flag::fin) != 0)
        connection.ended |= from_peer ? peer_end : own_end;
    if ((packet.flags & tcp_flag::reset) != 0) {
        connection.state = State::closing;
        connection.until = now + reset_time;
    } else if (connection.ended == (own_end | peer_end)) {
        connection.state = State::closing;
        connection.until = now + closing_time;
    } else if (connection.state == State::opening && !answer) {
        connection.until = now + opening_time;
    } else if (connection.state != State::closing) {
        connection.state = State::open;
        connection.until = now + open_time;
    }
}

// A segment from the outside of a connection that nobody here knows any more, to a port that is open: a container that began anew. Its TCP
// answers with a reset, so that the other end does not wait for ever (RFC 9293 section 3.5.2). It goes to whom that segment came
// from, and to nobody else: what this end may send is what answers.
bool Firewall::is_astray(const Key& key, const Packet& packet, bool from_peer) const {
    return from_peer && peers_[key.peer].outside && packet.protocol == protocol::tcp &&
           (packet.flags & tcp_flag::reset) == 0 &&
           rule_for(key.peer, true, protocol::tcp, key.peer_address, key.own_port) != nullptr;
}

Verdict Firewall::judge(const Key& key, const Packet& packet, bool from_peer, std::uint64_t now) {
    Connection* connection = find(key, now);
    const bool first = begins(packet);
    if (connection != nullptr && first && connection->state == State::closing) { // the same ports once more
        drop(*connection);
        connection = nullptr;
    }
    if (connection == nullptr) {
        if (!first && !is_astray(key, packet, from_peer))
            return Verdict::no_state;
        Rule* rule = rule_for(key.peer, from_peer, key.protocol, key.peer_address,
                              from_peer ? key.own_port : key.peer_port);
        if (rule == nullptr)
            return Verdict::no_rule;
        connection = make(key, now);
        if (connection == nullptr)
            return Verdict::full;
        connection->peer_began = from_peer;
        connection->rule = static_cast<std::uint16_t>(rule - rules_.data());
        rule->admitted += first ? 1 : 0;
    }
    advance(*connection, packet, from_peer, now);
    passed_ = connection;
    return Verdict::pass;
}

Verdict Firewall::inbound(std::uint8_t peer, std::span<const std::byte> bytes, std::uint64_t now_ns,
                          Packet& packet) {
    const Verdict verdict = [&] {
        if (const Verdict parsed = parse_of(peer, bytes, packet); parsed != Verdict::pass)
            return parsed;
        if (!is_at(peer, packet.from()))
            return Verdict::source;
        if (!is_own(peer, packet.to()))
            return Verdict::target;
        if (const Packet::About& about = packet.about; about.protocol != 0) {
            const Key key{peer, about.protocol, about.source_port, about.target_port, packet.about_to()};
            const bool ours = is_own(peer, packet.about_from()) && is_at(peer, packet.about_to());
            passed_ = ours ? find(key, now_ns) : nullptr;
            return passed_ != nullptr ? Verdict::pass : Verdict::no_state;
        }
        return judge({peer, packet.protocol, packet.target_port, packet.source_port, packet.from()}, packet,
                     true, now_ns);
    }();
    ++in_[static_cast<std::size_t>(verdict)];
    return verdict;
}

Verdict Firewall::outbound(std::uint8_t peer, std::span<const std::byte> bytes, std::uint64_t now_ns,
                           Packet& packet) {
    const Verdict verdict = [&] {
        if (const Verdict parsed = parse_of(peer, bytes, packet); parsed != Verdict::pass)
            return parsed;
        if (!is_own(peer, packet.from()))
            return Verdict::source;
        if (!is_at(peer, packet.to()))
            return Verdict::target;
        if (const Packet::About& about = packet.about; about.protocol != 0) {
            const Key key{peer, about.protocol, about.target_port, about.source_port, packet.about_from()};
            const bool ours = is_own(peer, packet.about_to()) && is_at(peer, packet.about_from());
            passed_ = ours ? find(key, now_ns) : nullptr;
            return passed_ != nullptr ? Verdict::pass : Verdict::no_state;
        }
        return judge({peer, packet.protocol, packet.source_port, packet.target_port, packet.to()}, packet,
                     false, now_ns);
    }();
    ++out_[static_cast<std::size_t>(verdict)];
    return verdict;
}

void Firewall::forget(std::uint8_t peer) {
    for (Connection& connection : table_)
        if (connection.state != State::none && connection.peer == peer)
            drop(connection);
}

} // namespace net
