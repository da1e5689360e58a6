// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/network.hpp - the container's network, from the boot page's links and the startup record's rules.
//
// unikernel.elf has none (no_network.cpp); unikernel-net.elf is the same kernel with network.cpp, the room `wires` and lwIP.
#pragma once

#include "hypervisor/base/text.hpp"
#include "partitions/unikernel/start/memory_map.hpp"
#include "partitions/unikernel/start/startup.hpp"

namespace uk::start {

// Guest-physical memory of the network besides RAM: lanes, and the registers of devices. Ends the partition where the boot page is
// not sound.
struct NetworkRanges {
    Region lanes, devices;
};
[[nodiscard]] NetworkRanges network_ranges(const caisson_boot_page& boot_page);

// For a record that asks for one. Ends the partition where the two do not fit each other, or the card does not answer.
void start_network(const caisson_boot_page& boot_page, const Startup& startup);

// Adds the own name and the others' to `hosts`; `resolver` stays empty where no name server is named.
struct NetworkTexts {
    base::Text<2048> hosts;   // /etc/hosts
    base::Text<256> resolver; // /etc/resolv.conf
};
void describe_network(const Startup& startup, NetworkTexts& texts);

} // namespace uk::start
