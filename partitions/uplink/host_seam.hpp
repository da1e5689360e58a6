// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/host_seam.hpp - what lies below the uplink, in tests: a clock that stands until it is set, memory that is given back
// at once and may have an end, what was noted and logged.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace uplink::host {

struct State {
    std::uint64_t now = 1'000'000'000;
    std::vector<std::string> notes, lines;
    std::size_t allocations_left = SIZE_MAX;
};
[[nodiscard]] State& state();
void give_memory_back(); // all that was allocated

} // namespace uplink::host
