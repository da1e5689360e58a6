// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/board.hpp - what a board looks like before it is there, so that the tool can bind a
// plan.
//
// Pure. Where `caisson plan` and the machine differ (another firmware, another QEMU), the machine's own map
// decides at boot; sizes agree, single addresses may not.
#pragma once

#include "hypervisor/core/memory/runs.hpp"
#include "hypervisor/core/plan/bind.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace plan {

enum class Board : std::uint8_t { qemu_q35 };

[[nodiscard]] std::optional<Board> board_of(std::string_view name); // "qemu-q35"

// The memory map of that board with `memory_bytes` of RAM. False when it cannot be (under 16 MiB, over 1
// TiB).
[[nodiscard]] bool assumed_map(Board board, std::uint64_t memory_bytes, memory::Runs& map);

// `cpus.size()` single-threaded cores in one package, APIC IDs from 0, the first one the boot CPU.
void assumed_cpus(Board board, std::span<Cpu> cpus);

// Registers that the hypervisor uses there: local APIC, I/O APIC, HPET.
[[nodiscard]] std::span<const memory::Run> assumed_devices(Board board);

// Where that board's firmware puts a module of that size when it starts a PVH kernel; 0 when it does not fit.
[[nodiscard]] std::uint64_t assumed_bundle_base(Board board, std::uint64_t memory_bytes,
                                                std::uint64_t bundle_bytes);

} // namespace plan
