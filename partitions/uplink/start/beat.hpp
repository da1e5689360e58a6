// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/start/beat.hpp - what happens at least four times a second besides: nothing, but in an uplink for tests.
#pragma once

#include "partitions/uplink/gate.hpp"

namespace uplink {

void each_beat(std::uint64_t generation, std::span<const Wire> wires);

} // namespace uplink
