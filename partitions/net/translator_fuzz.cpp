// SPDX-License-Identifier: Apache-2.0
// partitions/net/translator_fuzz.cpp - packets of any bytes from two containers and from the outside, over small tables.
#include "partitions/net/translator.hpp"

#include "partitions/net/checksum.hpp"

#include <array>
#include <cstdlib>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    constexpr std::uint32_t subnet = 0x64404D00, mask = 0xFFFFFF00, gateway = subnet + 1, outer = 0xC000020A;
    struct Box {
        std::array<net::Peer, 1> peers;
        std::array<net::Rule, 3> rules{{{0, true, net::protocol::tcp, 80, 80},
                                        {0, true, net::protocol::udp, 53, 53},
                                        {0, false, net::protocol::any, 0, 0xFFFF}}};
        std::array<net::Pace, 2> paces{net::Pace{100'000}, net::Pace{100'000}};
        std::array<net::Connection, 8> table{};
        net::Firewall firewall;
        explicit Box(std::uint32_t address)
            : peers{{{0, true, address, subnet, mask, gateway}}}, firewall{address, peers, rules, table} {
            rules[2].limit = 1;
        }
    };
    Box first{subnet + 2}, second{subnet + 3};
    const std::array<net::Contained, 2> contained{
        {{subnet + 2, &first.firewall, first.table, first.rules, first.paces},
         {subnet + 3, &second.firewall, second.table, second.rules, second.paces}}};
    const std::array<net::Publication, 2> published{
        {{0, net::protocol::tcp, 8080, 80}, {1, net::protocol::udp, 53, 53}}};
    std::array<net::Translation, 16> translations{};
    const std::array<std::uint32_t, 2> name_servers{0xC0000201, 0xC0000202};
    net::Translator uplink{gateway, contained, published, translations, name_servers, 7};
    uplink.set_outside(outer);
    std::uint64_t now = 1;
    // Packets: what, seconds, length, bytes.
    while (size >= 3) {
        const std::size_t length = data[2] < size - 3 ? data[2] : size - 3;
        const auto from = std::as_bytes(std::span{data + 3, length});
        std::vector<std::byte> bytes(from.begin(), from.end());
        now += std::uint64_t{data[1]} * 1'000'000'000;
        const unsigned what = data[0] & 3;
        if (what < 2) {
            net::Packet packet;
            const bool held = bytes.size() >= net::ip_header && net::sums_hold(bytes);
            const bool passed =
                uplink.leave(static_cast<std::uint8_t>(what), bytes, now, packet) == net::Verdict::pass;
            net::Packet now_is;
            if (passed && (net::parse(bytes, now_is) != net::Verdict::pass || now_is.source != outer ||
                           (now_is.target & mask) == subnet || packet.source != subnet + 2 + what))
                std::abort(); // I1
            if (passed && held && !net::sums_hold(bytes))
                std::abort(); // I3
        } else if (what == 2) {
            std::uint8_t container = 0xFF;
            const bool held = bytes.size() >= net::ip_header && net::sums_hold(bytes);
            const bool passed = uplink.enter(bytes, now, container) == net::Verdict::pass;
            net::Packet now_is;
            if (passed && (net::parse(bytes, now_is) != net::Verdict::pass || container > 1 ||
                           now_is.target != contained[container].address ||
                           ((now_is.source & mask) == subnet && now_is.source != gateway)))
                std::abort(); // I2
            if (passed && held && !net::sums_hold(bytes))
                std::abort(); // I3
        } else if ((data[0] & 0x80) != 0) {
            uplink.set_outside((data[0] & 0x40) != 0 ? outer + 1 : outer);
            uplink.set_outside(outer);
        } else {
            uplink.forget((data[0] & 0x40) != 0 ? 1 : 0);
        }
        data += 3 + length;
        size -= 3 + length;
    }
    return 0;
}
