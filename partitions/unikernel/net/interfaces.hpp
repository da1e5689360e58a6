// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/interfaces.hpp - the network interfaces that there are: the loopback, and where the kernel has a network
// (CAISSON_NETWORK), the wires and a card.
#pragma once

#include "partitions/unikernel/net/address.hpp"

#include <span>
#include <string_view>

namespace uk::net {

struct Traffic {
    std::uint64_t bytes = 0, packets = 0, errors = 0, dropped = 0;
};

// The one that is always there. What of it is looked at is a constant.
struct Loopback {
    static constexpr std::string_view name = "lo";
    static constexpr std::uint32_t index = 1, flags = 0x10049, mtu = 65536; // UP LOOPBACK RUNNING LOWER_UP
    static constexpr std::uint16_t type = 772;                              // ARPHRD_LOOPBACK
    static constexpr bool has_v4 = true, has_v6 = true;
    static constexpr IpAddress v4 = loopback_v4, v6 = loopback_v6;
    static constexpr unsigned v4_prefix = 8, v6_prefix = 128;
    static constexpr std::array<std::uint8_t, 6> hardware{};
};
inline constexpr Loopback loopback{};

struct Interface {
    std::string_view name = Loopback::name;
    std::uint32_t index = Loopback::index, flags = Loopback::flags, mtu = Loopback::mtu; // IFF_...
    std::uint16_t type = Loopback::type;                                                 // ARPHRD_...
    bool has_v4 = true, has_v6 = true;                                                   // v6: the loopback's
    IpAddress v4 = Loopback::v4, v6 = Loopback::v6;
    unsigned v4_prefix = Loopback::v4_prefix, v6_prefix = Loopback::v6_prefix;
    std::array<std::uint8_t, 6> hardware{};
    bool has_gateway = false;
    IpAddress gateway{};
    // Of a card that speaks IPv6: each with 64 bits of subnet; any_v6: none there.
    struct More {
        IpAddress address{};
        bool
            for_ever = true,
            old =
                false; // it was given by nobody that could take it back; another is better for new connections
    };
    std::array<More, 4> more_v6{};
    IpAddress gateway_v6{};
    Traffic received{}, sent{};
};
inline constexpr std::uint16_t type_ethernet = 1;
inline constexpr std::uint32_t flags_running = 0x10040; // RUNNING LOWER_UP

// All of them, the loopback first, as they are now (../wires).
[[nodiscard]] std::span<const Interface> interfaces();

#if CAISSON_NETWORK
using Shown = Interface;
template <typename Use> void each_interface(Use use) {
    for (const Interface& one : interfaces())
        use(one);
}
#else
using Shown = Loopback;
template <typename Use> void each_interface(Use use) {
    use(loopback);
}
#endif

} // namespace uk::net
