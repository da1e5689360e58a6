// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/early_map.hpp - the one-to-one tables of entry.S, which boot works in until its own are built.
#pragma once

#include "arch/x86_64/cpu/ports.hpp"
#include "hypervisor/core/bytes/checked.hpp"

extern "C" const std::uint32_t early_map_gigabytes;

namespace hv {

// The early tables map everything below, one to one.
[[nodiscard]] inline std::uint64_t early_map_end() {
    return std::uint64_t{early_map_gigabytes} << 30;
}
[[nodiscard]] inline bool early_mapped(std::uint64_t address, std::uint64_t bytes) {
    return bytes::lies_within(address, bytes, early_map_end());
}
// A device's, where they are reached.
[[nodiscard]] inline std::optional<cpu::Registers> early_registers(std::uint64_t address) {
    return early_mapped(address, base::page_size) ? std::optional{cpu::Registers{base::VirtAddr{address}}}
                                                  : std::nullopt;
}

} // namespace hv
