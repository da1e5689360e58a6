// SPDX-License-Identifier: Apache-2.0
// partitions/net/firewall_fuzz.cpp - packets of any bytes from two peers and the outside, and to them, over a small table.
#include "partitions/net/firewall.hpp"

#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint32_t own = 0x64404D02;
    constexpr std::uint32_t card = 0xC000020A, inside = 0x64404D00, inside_mask = 0xFFFFFF00;
    const std::array<net::Peer, 3> peers{{{0x64404D03}, {0x64404D04}, {0, true, card, inside, inside_mask}}};
    std::array<net::Rule, 4> rules{{{0, true, net::protocol::tcp, 80, 80},
                                    {1, false, net::protocol::any, 0, 0xFFFF},
                                    {2, true, net::protocol::tcp, 80, 80},
                                    {2, false, net::protocol::any, 0, 0xFFFF, 0, 0xC6336400, 0xFFFFFF00}}};
    std::array<net::Connection, 8> table{};
    net::Firewall firewall{own, peers, rules, table};
    std::uint64_t now = 1;
    // Packets: direction and peer, seconds, length, bytes.
    while (size >= 3) {
        const std::size_t length = data[2] < size - 3 ? data[2] : size - 3;
        const auto bytes = std::as_bytes(std::span{data + 3, length});
        const auto peer = static_cast<std::uint8_t>((data[0] >> 1 & 3) % peers.size());
        const bool in = (data[0] & 1) != 0;
        now += std::uint64_t{data[1]} * 1'000'000'000;
        net::Packet packet;
        const net::Verdict verdict =
            in ? firewall.inbound(peer, bytes, now, packet) : firewall.outbound(peer, bytes, now, packet);
        const std::uint32_t there = in ? packet.source : packet.target,
                            here = in ? packet.target : packet.source;
        const bool right = peers[peer].outside
                               ? here == card && there != card && (there & inside_mask) != inside
                               : here == own && there == peers[peer].address;
        if (verdict == net::Verdict::pass && !right)
            std::abort(); // I1
        if ((data[0] & 0x80) != 0)
            firewall.forget(peer);
        data += 3 + length;
        size -= 3 + length;
    }
    return 0;
}
