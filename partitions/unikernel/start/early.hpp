// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/early.hpp - from the PVH entry to memory and time: what every kernel that begins with entry.S does first.
#pragma once

#include "partitions/abi/boot_page.h"
#include "partitions/unikernel/start/memory_map.hpp"

#include <cstddef>
#include <span>

namespace uk::start {

// Start info and boot page are checked before they are used; an error ends the partition with one clear line.
void read_boot_page(std::uint32_t start_info);
[[nodiscard]] const caisson_boot_page& boot_page(); // a copy, as it was at start
// Physical extent of the root image; checked against the module in direct mode.
[[nodiscard]] Region root_region();

// The kernel's own tables and its frame allocator. All of RAM that nothing lies in is free.
void set_up_memory(const Region& root);
// From then on: the module, which begins with the boot page.
[[nodiscard]] std::span<std::byte> boot_module();

void start_clock(); // of nanoseconds and of the time of day

} // namespace uk::start
