// SPDX-License-Identifier: Apache-2.0
// partitions/net/neighbour.cpp - see neighbour.hpp.
#include "partitions/net/neighbour.hpp"

#include <cstring>

namespace net {

namespace {

using Bytes = std::span<const std::byte>;

std::uint8_t at8(Bytes bytes, std::size_t at) {
    return static_cast<std::uint8_t>(bytes[at]);
}

constexpr std::uint8_t hop_by_hop = 0, routing = 43, fragment = 44, destination_options = 60;
constexpr std::size_t payload_at = 4, next_at = 6, hops_at = 7, source_at = 8, target_at = 24;

// Options that may be skipped, and nothing else: RFC 8200 section 4.2, whose two highest bits say so.
bool options_hold(Bytes options) {
    while (!options.empty()) {
        const std::uint8_t type = at8(options, 0);
        if (type == 0) { // a byte that pads
            options = options.subspan(1);
            continue;
        }
        const std::size_t bytes = options.size() < 2 ? 0 : std::size_t{2} + at8(options, 1);
        if (bytes == 0 || bytes > options.size() || type >> 6 != 0)
            return false;
        options = options.subspan(bytes);
    }
    return true;
}

// Type 0 lets the sender say where it goes on: RFC 5095.
bool routing_is_done(Bytes header) {
    return at8(header, 2) != 0 && at8(header, 3) == 0;
}

namespace type {
constexpr std::uint8_t group_query = 130, group_report = 131, group_done = 132, router_solicitation = 133,
                       router_advertisement = 134, neighbour_solicitation = 135,
                       neighbour_advertisement = 136;
}

// Each within the message, none without length. A station's address of Ethernet is no group's.
bool neighbour_options_hold(Bytes options) {
    constexpr std::uint8_t source_station = 1, target_station = 2;
    while (!options.empty()) {
        const std::size_t bytes = options.size() < 8 ? 0 : std::size_t{8} * at8(options, 1);
        if (bytes == 0 || bytes > options.size())
            return false;
        const std::uint8_t which = at8(options, 0);
        const bool station = which == source_station || which == target_station;
        if (station && (bytes != 8 || (at8(options, 2) & 1) != 0))
            return false;
        options = options.subspan(bytes);
    }
    return true;
}

bool solicitation_holds(const Address6& source, const Address6& target, Bytes message) {
    const Address6 asked = read_address6(message.subspan(8));
    const bool anonymous = source.none(); // looks whether somebody has the address
    return !is_group(asked) && (!anonymous || (target == solicited_group(asked) && message.size() == 24)) &&
           (anonymous || is_of_a_host(source));
}

bool advertisement_holds(const Address6& source, const Address6& target, Bytes message) {
    constexpr unsigned solicited = 0x40;
    const bool answer = (at8(message, 4) & solicited) != 0;
    return !is_group(read_address6(message.subspan(8))) && is_of_a_host(source) &&
           !(is_group(target) && answer);
}

} // namespace

Verdict strip_extensions(std::span<std::byte>& packet) {
    if (packet.size() < ip6_header)
        return Verdict::malformed;
    std::uint8_t next = at8(packet, next_at);
    std::size_t at = ip6_header;
    for (unsigned count = 0;; ++count) {
        if (next == fragment)
            return Verdict::fragment;
        if (next != hop_by_hop && next != destination_options && next != routing)
            break;
        const std::size_t left = packet.size() - at;
        const std::size_t bytes = left < 8 ? 0 : 8 * (std::size_t{1} + at8(packet, at + 1));
        if (bytes == 0 || bytes > left || count == most_extensions ||
            at + bytes - ip6_header > most_extension_bytes || (next == hop_by_hop && count != 0))
            return Verdict::malformed;
        const Bytes header = packet.subspan(at, bytes);
        if (next == routing ? !routing_is_done(header) : !options_hold(header.subspan(2)))
            return Verdict::malformed;
        next = at8(header, 0);
        at += bytes;
    }
    if (at == ip6_header)
        return Verdict::pass;
    const std::size_t gone = at - ip6_header, left = packet.size() - at;
    std::memmove(packet.data() + gone, packet.data(), ip6_header);
    packet = packet.subspan(gone);
    packet[payload_at] = static_cast<std::byte>(left >> 8);
    packet[payload_at + 1] = static_cast<std::byte>(left);
    packet[next_at] = static_cast<std::byte>(next);
    return Verdict::pass;
}

Neighbours kind_of_neighbours(Bytes packet) {
    constexpr std::size_t least_of_router = 16, least_of_neighbour = 24;
    if (packet.size() < ip6_header + icmp_header || at8(packet, next_at) != protocol::icmp6)
        return Neighbours::no;
    const Bytes message = packet.subspan(ip6_header);
    const Address6 source = read_address6(packet.subspan(source_at)),
                   target = read_address6(packet.subspan(target_at));
    const std::uint8_t which = at8(message, 0), hops = at8(packet, hops_at);
    if (at8(message, 1) != 0 || hops != (which == type::group_query ? 1 : 255))
        return Neighbours::no;
    const bool is_router = which == type::router_advertisement;
    if (message.size() < (is_router ? least_of_router : least_of_neighbour))
        return Neighbours::no;
    switch (which) {
    case type::router_advertisement:
        return is_link_local(source) && neighbour_options_hold(message.subspan(least_of_router))
                   ? Neighbours::router
                   : Neighbours::no;
    case type::neighbour_solicitation:
        return solicitation_holds(source, target, message) &&
                       neighbour_options_hold(message.subspan(least_of_neighbour))
                   ? Neighbours::neighbour
                   : Neighbours::no;
    case type::neighbour_advertisement:
        return advertisement_holds(source, target, message) &&
                       neighbour_options_hold(message.subspan(least_of_neighbour))
                   ? Neighbours::neighbour
                   : Neighbours::no;
    case type::group_query:
        return is_link_local(source) && is_group(target) ? Neighbours::groups : Neighbours::no;
    default:
        return Neighbours::no;
    }
}

bool is_said_to_neighbours(Bytes packet) {
    constexpr std::size_t options = 8; // of a report: RFC 2710 section 3
    if (packet.size() < ip6_header + icmp_header)
        return false;
    const std::uint8_t next = at8(packet, next_at);
    const bool behind_options = next == hop_by_hop && packet.size() >= ip6_header + options + icmp_header &&
                                at8(packet, ip6_header) == protocol::icmp6 &&
                                at8(packet, ip6_header + 1) == 0;
    if (behind_options) {
        const std::uint8_t which = at8(packet, ip6_header + options);
        return at8(packet, hops_at) == 1 && (which == type::group_report || which == type::group_done);
    }
    const std::uint8_t which = at8(packet, ip6_header);
    return next == protocol::icmp6 && at8(packet, hops_at) == 255 &&
           (which == type::router_solicitation || which == type::neighbour_solicitation ||
            which == type::neighbour_advertisement);
}

} // namespace net
