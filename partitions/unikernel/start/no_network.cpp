// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/no_network.cpp - a kernel without a network says so.
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/start/network.hpp"

namespace uk::start {

// Weak: network.cpp of unikernel-net.elf takes their places.
[[gnu::weak]] NetworkRanges network_ranges(const caisson_boot_page&) {
    return {};
}

[[gnu::weak]] void describe_network(const Startup& startup, NetworkTexts& texts) {
    texts.hosts << "127.0.1.1\t" << startup.hostname() << '\n';
}

[[gnu::weak]] void start_network(const caisson_boot_page&, const Startup&) {
    base::fail("this kernel has no network, and the startup record asks for one", "", 0);
}

} // namespace uk::start
