// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/card.hpp - the network card that the partition owns, found and started.
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/drivers/net/card.hpp"

namespace uk::start {

// The first device of the boot page that there is a driver for, reset as the hypervisor left it, told where to interrupt. Ends the
// partition where there is none, it does not answer, or there is no memory for its rings. Its registers are mapped.
[[nodiscard]] drivers::net::Card start_card(const caisson_boot_page& boot_page);

} // namespace uk::start
