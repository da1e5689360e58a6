// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/start/mortal.cpp - an uplink for tests, which gives up once: in its first generation, when its first container has sent
// some packets outside. What it is restarted for has to be seen, and nothing that is sent to a sound one ends it.
#include "hypervisor/base/fail.hpp"
#include "partitions/uplink/start/beat.hpp"

namespace uplink {

void each_beat(std::uint64_t generation, std::span<const Wire> wires) {
    constexpr std::uint64_t enough = 20;
    if (generation == 1 && wires.front().leaving.packets >= enough)
        base::fail("this uplink is for tests: it ends once", "", 0);
}

} // namespace uplink
