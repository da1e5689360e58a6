// SPDX-License-Identifier: Apache-2.0
// drivers/watchdog/found.hpp - a watchdog that boot found: which it is, and what starts it.
#pragma once

#include "drivers/seams.hpp"
#include "drivers/watchdog/watchdog.hpp"

namespace drivers {

enum class WatchdogKind : std::uint8_t { none, i6300esb, itco, wdat };

struct FoundWatchdog {
    WatchdogKind kind = WatchdogKind::none;
    base::FixedVector<Store, 16> start;
    Watchdog watchdog;
};

} // namespace drivers
