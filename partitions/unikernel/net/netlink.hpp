// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/netlink.hpp - sockets of AF_NETLINK: what getifaddrs(3) and its like ask (rtnetlink(7)).
#pragma once

#include "partitions/unikernel/net/interfaces.hpp"
#include "partitions/unikernel/net/socket.hpp"

namespace uk::net::netlink {

// NETLINK_ROUTE answers dumps of interfaces, addresses and routes. Sockets that wait for news of devices
// (NETLINK_KOBJECT_UEVENT) can be made and hear none. Errors: protonosupport, socktnosupport.
[[nodiscard]] Result<Socket*> make(Type type, int protocol);

// Where the kernel has a network (CAISSON_NETWORK): who is a member of the group hears that the interface's link is another, that
// it has its address, or that it will have it no longer. `of` is as it is with that address.
enum class News : std::uint8_t { link, address, no_address };
void tell(const Interface& of, News news);
void tell(const Interface& of, const Interface::More& address, News news); // of IPv6; not `link`

} // namespace uk::net::netlink
