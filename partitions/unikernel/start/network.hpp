// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/network.hpp - the container's network, from the boot page's links and the startup record's rules.
//
// unikernel.elf has none (no_network.cpp); unikernel-net.elf is the same kernel with network.cpp, the room `wires` and lwIP.
#pragma once

#include "partitions/unikernel/start/startup.hpp"

namespace uk::start {

// For a record with peers. Ends the partition where the two do not fit each other.
void start_network(const caisson_boot_page& boot_page, const Startup& startup);

} // namespace uk::start
