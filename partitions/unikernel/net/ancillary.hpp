// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/ancillary.hpp - what recvmsg(2) tells beside a message's bytes, descriptors apart.
#pragma once

#include "partitions/unikernel/net/control.hpp"
#include "partitions/unikernel/net/socket.hpp"

namespace uk::net {

inline constexpr std::int32_t level_socket = 1, scm_rights = 1, scm_credentials = 2;

// The sender, the time, the address a datagram was for: what the socket asks for. False: not all of it fitted.
[[nodiscard]] bool write_ancillary(const Socket& socket, const Incoming& incoming,
                                   control_data::Writer& writer);

} // namespace uk::net
