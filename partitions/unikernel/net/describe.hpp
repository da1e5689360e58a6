// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/describe.hpp - the texts of /proc/net.
#pragma once

#include "partitions/unikernel/fs/seam.hpp"

namespace uk::net {

void describe_tcp(bool v6, fs::TextSink& out);
void describe_udp(bool v6, fs::TextSink& out);
void describe_local(fs::TextSink& out);
void describe_sockets(fs::TextSink& out); // sockstat
// Of ../wires.
void describe_devices(fs::TextSink& out);
void describe_routes(fs::TextSink& out);
void describe_addresses6(fs::TextSink& out); // if_inet6

} // namespace uk::net
