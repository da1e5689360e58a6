// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/interfaces.hpp - the network interfaces that there are: the loopback.
#pragma once

#include "partitions/unikernel/net/address.hpp"

#include <string_view>

namespace uk::net {

struct Interface {
    std::string_view name;
    std::uint32_t index;
    std::uint32_t flags; // IFF_...
    std::uint16_t type;  // ARPHRD_...
    std::uint32_t mtu;
    IpAddress v4, v6;
    unsigned v4_prefix, v6_prefix;
};
inline constexpr Interface loopback{
    "lo", 1, 0x10049 /* UP LOOPBACK RUNNING LOWER_UP */, 772, 65536, loopback_v4, loopback_v6, 8, 128};

} // namespace uk::net
