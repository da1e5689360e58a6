// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/early_map.hpp - the one-to-one tables of entry.S, which boot works in until its own are built.
#pragma once

#include "hypervisor/core/bytes/checked.hpp"

extern "C" const std::uint32_t early_map_gigabytes;

namespace hv {

// Whether the early tables map these bytes (one to one).
[[nodiscard]] inline bool early_mapped(std::uint64_t address, std::uint64_t bytes) {
    return bytes::lies_within(address, bytes, std::uint64_t{early_map_gigabytes} << 30);
}

} // namespace hv
