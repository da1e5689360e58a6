// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/net/host_seam.hpp - the clock of tests, which stands until it is set, and timers on it.
#pragma once

#include <cstdint>

namespace uk::net::host {

[[nodiscard]] std::uint64_t& now();
void run_timers(); // those whose time has come

} // namespace uk::net::host
