// SPDX-License-Identifier: Apache-2.0
// partitions/net/published.hpp - ports that have another number outside: 8080 there is 80 here.
//
// All ports are exchanged one for one, so nothing has to be remembered of any connection: a number that is given away inside gets
// what is left over. Without entries every port is itself.
// Pure. Invariant: inside() and outside() undo each other, for every port, where no number is twice on one side of a protocol.
// Spec: RFC 3022 section 4.1 (what changes in a packet).
#pragma once

#include "partitions/net/checksum.hpp"

namespace net {

struct PublishedPort {
    std::uint8_t protocol = 0; // protocol::tcp or udp
    std::uint16_t outside = 0, inside = 0;
};

class PublishedPorts {
public:
    PublishedPorts() = default;
    explicit PublishedPorts(std::span<const PublishedPort> entries) : entries_(entries) {}

    [[nodiscard]] std::uint16_t inside(std::uint8_t protocol, std::uint16_t port) const {
        return follow(protocol, port, &PublishedPort::outside, &PublishedPort::inside);
    }
    [[nodiscard]] std::uint16_t outside(std::uint8_t protocol, std::uint16_t port) const {
        return follow(protocol, port, &PublishedPort::inside, &PublishedPort::outside);
    }

    // Of the packet's first bytes, header and ports at least: its target port as it is inside, its source port as it is outside.
    void enter(std::span<std::byte> head) const { exchange(head, 2, &PublishedPorts::inside); }
    void leave(std::span<std::byte> head) const { exchange(head, 0, &PublishedPorts::outside); }

    // Bytes that enter() and leave() want of a TCP packet; of others what there is.
    static constexpr std::size_t head_bytes = ip6_header + tcp_header;

private:
    using Side = std::uint16_t PublishedPort::*;
    [[nodiscard]] const PublishedPort* find(std::uint8_t protocol, std::uint16_t port, Side side) const {
        for (const PublishedPort& entry : entries_)
            if (entry.protocol == protocol && entry.*side == port)
                return &entry;
        return nullptr;
    }
    // Where the port has no entry, but its number is another's on the far side: the free end of that chain.
    [[nodiscard]] std::uint16_t follow(std::uint8_t protocol, std::uint16_t port, Side from, Side to) const {
        if (const PublishedPort* entry = find(protocol, port, from); entry != nullptr)
            return entry->*to;
        for (std::size_t steps = 0; steps < entries_.size(); ++steps) {
            const PublishedPort* taken = find(protocol, port, to);
            if (taken == nullptr)
                break;
            port = taken->*from;
        }
        return port;
    }
    using Exchange = std::uint16_t (PublishedPorts::*)(std::uint8_t, std::uint16_t) const;
    void exchange(std::span<std::byte> head, std::size_t at, Exchange how) const {
        const auto word = [head](std::size_t where) {
            return static_cast<std::uint16_t>(static_cast<unsigned>(head[where]) << 8 |
                                              static_cast<unsigned>(head[where + 1]));
        };
        const auto put = [head](std::size_t where, std::uint16_t value) {
            head[where] = static_cast<std::byte>(value >> 8);
            head[where + 1] = static_cast<std::byte>(value);
        };
        const auto [header, protocol] = transport_of(head);
        if (entries_.empty() || header == 0 || head.size() < header + udp_header)
            return;
        const std::size_t sum_at = place_of_sum(protocol, header);
        if ((protocol != protocol::tcp && protocol != protocol::udp) || head.size() < sum_at + 2)
            return;
        const std::uint16_t port = word(header + at), exchanged = (this->*how)(protocol, port);
        put(header + at, exchanged);
        const std::uint16_t sum = word(sum_at);
        if (protocol == protocol::udp && sum == 0) // none was made (IPv6 has no such packet)
            return;
        const std::uint16_t changed = change_sum(sum, port, exchanged);
        put(sum_at, protocol == protocol::udp && changed == 0 ? std::uint16_t{0xFFFF} : changed);
    }

    std::span<const PublishedPort> entries_;
};

} // namespace net
