// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/machine.hpp - what boot found out and decided: written by the boot CPU before the other CPUs look at
// it, in pages that are read-only from the moment the first partition runs.
#pragma once

#include "hypervisor/base/constant.hpp"
#include "hypervisor/core/acpi/kept.hpp"
#include "hypervisor/core/plan/pieces.hpp"
#include "hypervisor/core/vcpu/hardening.hpp"

namespace hv {

struct Cpu;
struct Partition;
namespace dma {
struct Device;
}

struct Times {
    std::uint64_t entry_tsc = 0, verified_tsc = 0;
    std::uint64_t tsc_hz = 0, apic_timer_hz = 0; // never 0 once measured
    std::uint64_t wall_ns = 0, wall_tsc = 0;     // 0: not known
};

// Room for the plan's table. A larger one is refused, not truncated.
inline constexpr std::size_t table_room = 256 * 1024;
inline constexpr std::size_t max_sections = 256; // of a bundle

struct Extent {
    std::uint64_t offset, bytes;
};

struct Machine {
    acpi::Fadt fadt;
    std::optional<acpi::SleepType> soft_off; // found by a bounded search (acpi::soft_off_in)
    acpi::RemappingKind remapping = acpi::RemappingKind::none;
    acpi::Units units; // of remapping
    bool is_qemu = false;
    vcpu::Hardening hardening;
    std::uint64_t bundle = 0, bundle_bytes = 0;          // where it lies
    base::FixedVector<Extent, max_sections> sections;    // of the bundle, verified
    std::array<std::byte, table_room> table;             // the plan's, a private copy, verified
    std::uint64_t table_bytes = 0;                       // 0: no plan yet
    plan::MachineBehaviour behaviour{.retained_log = 0}; // the plan's; no constant but 0 lies in these pages
    plan::Pieces pieces;                                 // of the partitions' memory
    Times times;
    base::PhysAddr io_permissions, msr_permissions;             // the same for all partitions
    base::FixedVector<dma::Device*, plan::max_devices> devices; // that partitions own
    base::FixedVector<Cpu*, plan::max_cpus> cpus;               // by rank
    base::FixedVector<Partition*, plan::max_partitions> partitions;
};
// No destructor of it ever runs.
static_assert(std::is_trivially_destructible_v<Machine>);

// The one machine: constant for all but boot, which has machine_in_making().
class TheMachine {
public:
    [[nodiscard]] const Machine& get() const { return machine_; }

private:
    friend Machine& machine_in_making();
    Machine machine_{};
};
extern TheMachine the_machine;

[[nodiscard]] inline const Machine& machine() {
    return the_machine.get();
}
// Boot only (its code is gone when it would fault).
[[nodiscard]] Machine& machine_in_making();

} // namespace hv
