// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/needs.hpp - how many frames the hypervisor takes besides second-stage tables, the same numbers for its own
// boot and for the tool that binds a plan to a described board. hypervisor/kernel asserts that each is enough.
//
// Pure.
#pragma once

#include "hypervisor/core/acpi/kept.hpp"
#include "hypervisor/core/plan/bind.hpp"

namespace plan::needs {

inline constexpr std::uint64_t io_permissions = 3, msr_permissions = 2;
// The hypervisor's tables besides those of a CPU and the pool's last-level tables: root, two levels for the image, for the
// pool and for the CPUs' areas, the image's last-level tables, two for each device's page (APIC, HPET, I/O APIC, watchdog,
// UART), three for the retained log, nineteen for the screen (core/screen/fit.hpp).
inline constexpr std::uint64_t own_tables = 29 + 19;
inline constexpr std::uint64_t a_unit = 2 + 3; // queue and log; tables above its registers, at most
inline constexpr std::uint64_t vtd_tables = 2, amdvi_tables = 512; // of all units together
inline constexpr std::uint64_t a_device = 1 + 3;                   // the object; tables above its registers
inline constexpr std::uint64_t a_cpu = 15, a_partition = 4, a_vcpu = 2;

constexpr std::uint64_t units(acpi::RemappingKind kind, std::uint64_t count) {
    return count == 0 ? 0 : (kind == acpi::RemappingKind::vtd ? vtd_tables : amdvi_tables) + a_unit * count;
}

// What bind() is told on a machine with those units, for a plan with so many devices.
constexpr Options options(acpi::RemappingKind kind, std::uint64_t unit_count, std::uint64_t devices,
                          bool large_pages, bool huge_pages) {
    return {.large_pages = large_pages,
            .huge_pages = huge_pages,
            .frames_fixed =
                io_permissions + msr_permissions + own_tables + units(kind, unit_count) + devices * a_device,
            .frames_per_cpu = a_cpu,
            .frames_per_partition = a_partition,
            .frames_per_vcpu = a_vcpu};
}

} // namespace plan::needs
