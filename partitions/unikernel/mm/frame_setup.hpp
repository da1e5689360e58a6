// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/frame_setup.hpp - how start code hands RAM to the frame allocator.
#pragma once

#include "partitions/unikernel/mm/frames.hpp"

namespace uk::mm {

[[nodiscard]] std::uint64_t frame_table_bytes(std::uint64_t end_of_ram);
void set_up_frames(std::uint64_t end_of_ram, std::byte* table); // all taken
void add_frames(PhysAddr start, PhysAddr end);                  // free from now on

} // namespace uk::mm
