// SPDX-License-Identifier: Apache-2.0
// partitions/net/judge.cpp - asks the firewall about packets from standard input, for reference_test.py and reference6_test.py.
//
// Lines:  own ADDRESS | peer ADDRESS | rule PEER in|out PROTOCOL FIRST LAST | packet in|out PEER NANOSECONDS HEX
//         outside ADDRESS ADDRESS6 (a peer) | rule6 PEER in|out PROTOCOL FIRST LAST ADDRESS6 PREFIX | neighbours HEX
// (addresses as numbers, those of IPv6 as hexadecimal digits). A packet is answered with the number of its verdict, what may be of
// neighbours with the number of its kind. Of what comes from the outside extension headers are taken off before.
#include "partitions/net/firewall.hpp"
#include "partitions/net/neighbour.hpp"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

std::vector<std::byte> read_bytes() { // "-" is no byte
    std::string text;
    std::cin >> text;
    std::vector<std::byte> out;
    for (std::size_t at = 0; at + 1 < text.size(); at += 2)
        out.push_back(static_cast<std::byte>(std::stoul(text.substr(at, 2), nullptr, 16)));
    return out;
}

net::Verdict strip(std::span<std::byte>& packet) {
    return net::is_version_6(packet) ? net::strip_extensions(packet) : net::Verdict::pass;
}

} // namespace

int main() {
    net::OwnAddresses6 own6;
    std::uint32_t own = 0;
    std::vector<net::Peer> peers;
    std::vector<net::Rule> rules;
    std::vector<net::Connection> table(64);
    std::unique_ptr<net::Firewall> firewall;
    for (std::string word, direction; std::cin >> word;) {
        if (word == "own") {
            std::cin >> own;
        } else if (word == "peer") {
            std::cin >> peers.emplace_back().address;
        } else if (word == "outside") {
            net::Peer& peer = peers.emplace_back();
            std::cin >> peer.own;
            own6.all[0] = net::read_address6(read_bytes());
            peer.outside = true;
            peer.own6 = &own6;
        } else if (word == "neighbours") {
            std::cout << static_cast<unsigned>(net::kind_of_neighbours(read_bytes())) << '\n';
        } else if (word == "rule" || word == "rule6") {
            unsigned peer = 0, protocol = 0;
            net::Rule& rule = rules.emplace_back();
            std::cin >> peer >> direction >> protocol >> rule.first_port >> rule.last_port;
            rule.peer = static_cast<std::uint8_t>(peer);
            rule.protocol = static_cast<std::uint8_t>(protocol);
            rule.inbound = direction == "in";
            rule.v6 = word == "rule6";
            if (rule.v6) {
                unsigned prefix = 0;
                rule.network6 = net::read_address6(read_bytes());
                std::cin >> prefix;
                rule.prefix6 = static_cast<std::uint8_t>(prefix);
            }
        } else {
            unsigned peer = 0;
            std::uint64_t now = 0;
            std::cin >> direction >> peer >> now;
            std::vector<std::byte> bytes = read_bytes();
            std::span<std::byte> view{bytes};
            if (!firewall)
                firewall = std::make_unique<net::Firewall>(own, peers, rules, table);
            net::Packet packet;
            const auto number = static_cast<std::uint8_t>(peer);
            const bool in = direction == "in";
            net::Verdict verdict = in && peers[peer].outside ? strip(view) : net::Verdict::pass;
            if (verdict == net::Verdict::pass)
                verdict = in ? firewall->inbound(number, view, now, packet)
                             : firewall->outbound(number, view, now, packet);
            std::cout << static_cast<unsigned>(verdict) << '\n';
        }
    }
}
