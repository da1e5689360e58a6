// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/time/find_watchdog.hpp - the machine's hardware watchdog, looked for once at boot: the i6300esb, the TCO timer of
// Intel's I/O hubs, else what firmware's WDAT describes.
#pragma once

#include "drivers/watchdog/found.hpp"

#include <optional>

namespace hv::alarm {

// Which it is. Nothing is written.
[[nodiscard]] drivers::WatchdogKind watchdog_kind();
// The page of its registers in memory, to be checked (plan::check_devices) before it is touched; 0: no such page, or no watchdog.
[[nodiscard]] std::uint64_t watchdog_page();
// How it is started, fed and stopped; early tables, and that page must be reachable. It runs only once it is started.
[[nodiscard]] std::optional<drivers::FoundWatchdog> prepare_watchdog();

} // namespace hv::alarm
