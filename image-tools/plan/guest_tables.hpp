// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/guest_tables.hpp - the ACPI tables a partition finds: RSDP, XSDT, MADT (x2APIC
// entries), a hardware-reduced FADT and an empty DSDT, within one page (docs/hypervisor.md rule
// 25).
//
// Pure.
// Spec:       ACPI 6.5 5.2.5-5.2.12, 4.1 "Hardware-Reduced ACPI".
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/result.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace acpi {

enum class BuildError : std::uint8_t { too_many_cpus, no_cpu };

inline constexpr std::uint32_t max_guest_cpus = 64;

// Fills `page`, which the guest sees at `at` (CAISSON_GPA_ACPI), for vCPUs with x2APIC IDs 0 .. cpu_count
// - 1. Returns the RSDP's address.
[[nodiscard]] base::Result<base::GuestPhysAddr, BuildError>
build_guest_tables(std::span<std::byte, 4096> page, base::GuestPhysAddr at, std::uint32_t cpu_count);

} // namespace acpi
