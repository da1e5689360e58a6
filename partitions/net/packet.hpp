// SPDX-License-Identifier: Apache-2.0
// partitions/net/packet.hpp - what rules look at in an IP packet.
//
// Pure. Every byte is hostile: a packet that is not exactly what its headers say is none.
// Spec: RFC 791, RFC 792, RFC 768, RFC 9293; RFC 8200, RFC 4443.
#pragma once

#include "partitions/net/address6.hpp"

namespace net {

namespace protocol {
inline constexpr std::uint8_t any = 0, icmp = 1, tcp = 6, udp = 17, icmp6 = 58; // `any`: in a rule only
}
namespace tcp_flag {
inline constexpr std::uint8_t fin = 1, syn = 2, reset = 4, acknowledge = 16;
}

// What becomes of a packet. All but `pass` are dropped and counted.
enum class Verdict : std::uint8_t {
    pass,
    malformed, // shorter or longer than it says, IP options, not of a family that is spoken there
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

inline constexpr std::size_t ip_header = 20, ip6_header = 40, udp_header = 8, tcp_header = 20,
                             icmp_header = 8;
namespace icmp_type {
inline constexpr std::uint8_t echo_reply = 0, unreachable = 3, echo = 8;
}
namespace icmp6_type { // errors: 1 to 4
inline constexpr std::uint8_t unreachable = 1, last_error = 4, echo = 128, echo_reply = 129;
}

// Of a packet's first byte, where there is one.
[[nodiscard]] constexpr bool is_version_6(std::span<const std::byte> bytes) {
    return !bytes.empty() && static_cast<unsigned>(bytes[0]) >> 4 == 6;
}

// Whether one machine can have the address: no group, no loopback, not "this" network. RFC 1122 section 3.2.1.3.
[[nodiscard]] constexpr bool is_of_a_host(std::uint32_t address) {
    constexpr std::uint32_t loopback = 127, first_group = 224;
    const std::uint32_t octet = address >> 24;
    return octet != 0 && octet != loopback && octet < first_group;
}

struct Packet {
    std::uint32_t source = 0, target = 0;           // addresses, the first octet the highest byte; IPv6: 0
    std::uint16_t source_port = 0, target_port = 0; // ICMP echo: both its identifier
    std::uint8_t protocol = 0;
    std::uint8_t flags = 0;          // of TCP
    std::uint8_t type = 0, code = 0; // of ICMP
    // Of an ICMP error: the packet it is about, as far as it goes; its `protocol` 0 otherwise.
    struct About {
        std::uint32_t source = 0, target = 0;
        std::uint16_t source_port = 0, target_port = 0;
        std::uint8_t protocol = 0;
        Address6 source6{}, target6{}; // IPv6's
    } about;
    bool v6 = false;
    Address6 source6{}, target6{}; // IPv6's
    // Of either family.
    [[nodiscard]] Address6 from() const { return v6 ? source6 : mapped(source); }
    [[nodiscard]] Address6 to() const { return v6 ? target6 : mapped(target); }
    [[nodiscard]] Address6 about_from() const { return v6 ? about.source6 : mapped(about.source); }
    [[nodiscard]] Address6 about_to() const { return v6 ? about.target6 : mapped(about.target); }
};

// Fills in `out`. pass: it is a packet of IPv4; else why it is none (malformed, fragment, protocol).
[[nodiscard]] Verdict parse(std::span<const std::byte> bytes, Packet& out);
// The same of IPv6. Its transport stands directly behind its header (neighbour.hpp: strip_extensions). What neighbours say to each
// other is not of a connection: `protocol`.
[[nodiscard]] Verdict parse6(std::span<const std::byte> bytes, Packet& out);

} // namespace net
