// SPDX-License-Identifier: Apache-2.0
// partitions/net/firewall_fuzz.cpp - packets of any bytes from two peers and to them, over a small table.
#include "partitions/net/firewall.hpp"

#include <cstdlib>
#include <cstring>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint32_t own = 0x64404D02;
    const std::array<net::Peer, 2> peers{{{0x64404D03}, {0x64404D04}}};
    std::array<net::Rule, 2> rules{
        {{0, true, net::protocol::tcp, 80, 80}, {1, false, net::protocol::any, 0, 0xFFFF}}};
    std::array<net::Connection, 8> table{};
    net::Firewall firewall{own, peers, rules, table};
    std::uint64_t now = 1;
    // Packets: direction and peer, seconds, length, bytes.
    while (size >= 3) {
        const std::size_t length = data[2] < size - 3 ? data[2] : size - 3;
        const auto bytes = std::as_bytes(std::span{data + 3, length});
        const auto peer = static_cast<std::uint8_t>(data[0] >> 1 & 1);
        const bool in = (data[0] & 1) != 0;
        now += std::uint64_t{data[1]} * 1'000'000'000;
        net::Packet packet;
        const net::Verdict verdict =
            in ? firewall.inbound(peer, bytes, now, packet) : firewall.outbound(peer, bytes, now, packet);
        if (verdict == net::Verdict::pass && (in ? packet.source : packet.target) != peers[peer].address)
            std::abort(); // I1
        if ((data[0] & 0x80) != 0)
            firewall.forget(peer);
        data += 3 + length;
        size -= 3 + length;
    }
    return 0;
}
