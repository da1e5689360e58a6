// SPDX-License-Identifier: Apache-2.0
// partitions/net/neighbour_fuzz.cpp - packets of IPv6 of any bytes: extension headers taken off, neighbours told from the rest, the rules.
#include "partitions/net/firewall.hpp"
#include "partitions/net/neighbour.hpp"

#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr net::Address6 own{0x2001'0DB8'0000'0000, 0x10};
    net::OwnAddresses6 addresses{{own}};
    const std::array<net::Peer, 1> peers{{{.outside = true, .own = 0xC000020A, .own6 = &addresses}}};
    std::array<net::Rule, 2> rules{
        {{.inbound = true, .protocol = net::protocol::tcp, .first_port = 80, .last_port = 80, .v6 = true},
         {.v6 = true, .prefix6 = 32, .network6 = {0x2001'0DB8'0000'0000, 0}}}};
    std::array<net::Connection, 8> table{};
    net::Firewall firewall{0, peers, rules, table};
    std::uint64_t now = 1;
    // Packets: direction, length, bytes.
    while (size >= 2) {
        const std::size_t length = data[1] < size - 2 ? data[1] : size - 2;
        const bool in = (data[0] & 1) != 0;
        const auto* begin = reinterpret_cast<const std::byte*>(data + 2);
        std::vector<std::byte> bytes(begin, begin + length);
        std::span<std::byte> packet{bytes};
        data += 2 + length;
        size -= 2 + length;
        now += 1'000'000'000;
        if (in && net::strip_extensions(packet) != net::Verdict::pass)
            continue;
        const auto kind = net::kind_of_neighbours(packet);
        if (kind != net::Neighbours::no && kind != net::Neighbours::groups && packet[7] != std::byte{255})
            std::abort(); // it has passed a router
        (void)net::is_said_to_neighbours(packet);
        net::Packet parsed;
        const net::Verdict verdict =
            in ? firewall.inbound(0, packet, now, parsed) : firewall.outbound(0, packet, now, parsed);
        if (verdict != net::Verdict::pass)
            continue;
        const net::Address6 there = in ? parsed.from() : parsed.to(), here = in ? parsed.to() : parsed.from();
        const bool right = parsed.v6 ? here == own && there != own && net::is_of_a_host(there)
                                     : here == net::mapped(0xC000020A);
        if (!right || kind != net::Neighbours::no)
            std::abort(); // of the firewall: I1
    }
    return 0;
}
