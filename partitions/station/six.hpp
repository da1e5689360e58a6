// SPDX-License-Identifier: Apache-2.0
// partitions/station/six.hpp - the station's IPv6, where lwIP has it. Internal to partitions/station.
#pragma once

#include "partitions/station/station.hpp"

namespace station {

[[nodiscard]] Station& self();
// All of it in one run of memory, until the next call; empty: it is longer than a frame carries.
[[nodiscard]] std::span<const std::byte> whole_of(const pbuf* packet);

namespace six {

[[nodiscard]] bool start(); // behind the interface's; false: out of memory
// A frame that says it is one; `own`: to this station alone. False: it is the caller's still.
[[nodiscard]] bool take(pbuf* frame, bool own);
void run_clock(bool second); // twice a second; `second`: every other time

} // namespace six

} // namespace station
