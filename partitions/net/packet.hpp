// SPDX-License-Identifier: Apache-2.0
// partitions/net/packet.hpp - what rules look at in an IP packet.
//
// Pure. Every byte is hostile: a packet that is not exactly what its headers say is none.
// Spec: RFC 791, RFC 792, RFC 768, RFC 9293.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace net {

namespace protocol {
inline constexpr std::uint8_t any = 0, icmp = 1, tcp = 6, udp = 17; // `any`: in a rule only
}
namespace tcp_flag {
inline constexpr std::uint8_t fin = 1, syn = 2, reset = 4, acknowledge = 16;
}

// What becomes of a packet. All but `pass` are dropped and counted.
enum class Verdict : std::uint8_t {
    pass,
    malformed, // shorter or longer than it says, IP options, not IPv4
    fragment,  // wires carry whole packets
    protocol,  // neither TCP, UDP nor an ICMP message that has a meaning here
    source,    // not the sender's address
    target,    // not the receiver's
    no_rule,
    no_state, // no connection that it could be of
    full,     // no place for another connection
    rate,     // more than its rule lets through
};
inline constexpr std::size_t verdict_count = 10;
[[nodiscard]] constexpr const char* name_of(Verdict verdict) {
    constexpr const char* names[verdict_count] = {"pass",   "malformed", "fragment", "protocol", "source",
                                                  "target", "no_rule",   "no_state", "full",     "rate"};
    return names[static_cast<std::size_t>(verdict)];
}

inline constexpr std::size_t ip_header = 20, udp_header = 8, tcp_header = 20, icmp_header = 8;
namespace icmp_type {
inline constexpr std::uint8_t echo_reply = 0, unreachable = 3, echo = 8;
}

// Whether one machine can have the address: no group, no loopback, not "this" network. RFC 1122 section 3.2.1.3.
[[nodiscard]] constexpr bool is_of_a_host(std::uint32_t address) {
    constexpr std::uint32_t loopback = 127, first_group = 224;
    const std::uint32_t octet = address >> 24;
    return octet != 0 && octet != loopback && octet < first_group;
}

struct Packet {
    std::uint32_t source = 0, target = 0;           // addresses, the first octet the highest byte
    std::uint16_t source_port = 0, target_port = 0; // ICMP echo: both its identifier
    std::uint8_t protocol = 0;
    std::uint8_t flags = 0;          // of TCP
    std::uint8_t type = 0, code = 0; // of ICMP
    // Of an ICMP error: the packet it is about, as far as it goes; its `protocol` 0 otherwise.
    struct About {
        std::uint32_t source = 0, target = 0;
        std::uint16_t source_port = 0, target_port = 0;
        std::uint8_t protocol = 0;
    } about;
};

// Fills in `out`. pass: it is a packet; else why it is none (malformed, fragment, protocol).
[[nodiscard]] Verdict parse(std::span<const std::byte> bytes, Packet& out);

} // namespace net
