// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/boot/firmware.hpp - taking the machine over from firmware: devices quiet, tables read, clocks measured.
// All of it on the boot CPU under the early tables.
#pragma once

#include <cstdint>

namespace hv {

// Whether the early tables map these bytes (one to one).
[[nodiscard]] bool early_mapped(std::uint64_t address, std::uint64_t bytes);

// The first act: no device may write memory any more. Then the boot record and the memory map, or a refusal.
void take_over(std::uint32_t protocol, std::uint32_t information);

// ACPI tables; interrupt controllers masked. Refuses a machine that describes no CPU.
void read_tables();

// TSC and APIC timer frequencies, wall clock.
void measure_clocks();

} // namespace hv
