// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/netlink.hpp - sockets of AF_NETLINK: what getifaddrs(3) and its like ask (rtnetlink(7)).
#pragma once

#include "partitions/unikernel/net/socket.hpp"

namespace uk::net::netlink {

// NETLINK_ROUTE answers dumps of interfaces, addresses and routes. Sockets that wait for news of devices
// (NETLINK_KOBJECT_UEVENT) can be made and hear none. Errors: protonosupport, socktnosupport.
[[nodiscard]] Result<Socket*> make(Type type, int protocol);

} // namespace uk::net::netlink
