// SPDX-License-Identifier: Apache-2.0
// partitions/net/judge.cpp - asks the firewall about packets from standard input, for reference_test.py.
//
// Lines:  own ADDRESS | peer ADDRESS | rule PEER in|out PROTOCOL FIRST LAST | packet in|out PEER NANOSECONDS HEX
// (addresses as numbers). A packet is answered with the number of its verdict.
#include "partitions/net/firewall.hpp"

#include <iostream>
#include <memory>
#include <string>
#include <vector>

int main() {
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
        } else if (word == "rule") {
            unsigned peer = 0, protocol = 0;
            net::Rule& rule = rules.emplace_back();
            std::cin >> peer >> direction >> protocol >> rule.first_port >> rule.last_port;
            rule.peer = static_cast<std::uint8_t>(peer);
            rule.protocol = static_cast<std::uint8_t>(protocol);
            rule.inbound = direction == "in";
        } else {
            unsigned peer = 0;
            std::uint64_t now = 0;
            std::string text;
            std::cin >> direction >> peer >> now >> text;
            std::vector<std::byte> bytes;
            for (std::size_t at = 0; at + 1 < text.size(); at += 2) // "-" is no byte
                bytes.push_back(static_cast<std::byte>(std::stoul(text.substr(at, 2), nullptr, 16)));
            if (!firewall)
                firewall = std::make_unique<net::Firewall>(own, peers, rules, table);
            net::Packet packet;
            const auto number = static_cast<std::uint8_t>(peer);
            const net::Verdict verdict = direction == "in" ? firewall->inbound(number, bytes, now, packet)
                                                           : firewall->outbound(number, bytes, now, packet);
            std::cout << static_cast<unsigned>(verdict) << '\n';
        }
    }
}
