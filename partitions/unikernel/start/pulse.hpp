// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/pulse.hpp - what kernel and hypervisor tell each other through the boot page while programs
// run: the heartbeat (watchdog_ms, heartbeat) and the request to end (stop_request). Neither leaves guest mode.
#pragma once

#include "partitions/abi/boot_page.h"

namespace uk::start {

// `page`: the one in the partition's memory. The heart beats where there is a watchdog, four times an interval. Four times a
// second it is seen whether the machine wants the partition to end; then process 1 gets the signal, once.
void start_pulse(volatile caisson_boot_page& page);

} // namespace uk::start
