// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/lane_end.hpp - an end of a wire, from the boot page's list to the protocol of partitions/abi/lane.h.
#pragma once

#include "partitions/abi/boot_page.h"

#include "partitions/abi/lane.h"

#include <cstdint>

namespace uk::start {

// `end`, which is all zero, is that of the link `number`, which there is. Ends the partition where its lanes cannot be.
void connect(caisson_end& end, const caisson_boot_page& boot_page, std::uint32_t number);
void listen(std::uint32_t number); // its other end rings this CPU from now on

} // namespace uk::start
