// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/machine.hpp - what boot found out and decided. Written by the boot CPU before the other CPUs look
// at it, constant from the moment the first partition runs.
#pragma once

#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/bundle/header_buffer.hpp"
#include "hypervisor/core/bundle/verify.hpp"
#include "hypervisor/core/crypto/sha256.hpp"
#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/bound_plan.hpp"
#include "hypervisor/core/plan/plan.hpp"
#include "hypervisor/core/vcpu/hardening.hpp"
#include "loader/handover/boot_record.hpp"

namespace hv {

struct Cpu;
struct Partition;

struct Times {
    std::uint64_t entry_tsc = 0, verified_tsc = 0;
    std::uint64_t tsc_hz = 0, apic_timer_hz = 0;
    std::uint64_t wall_ns = 0, wall_tsc = 0; // 0: not known
};

struct Machine {
    loader::BootRecord boot;
    memory::Runs map; // usable memory
    acpi::Tables acpi;
    bool is_qemu = false;
    vcpu::Hardening hardening;
    crypto::Sha256Engine hash_engine = crypto::Sha256Engine::portable;
    std::optional<bundle::HeaderBuffer> header;
    std::optional<bundle::Contents> contents;
    std::optional<plan::Plan> plan;
    std::span<const std::byte> leaves; // of the bundle, a private copy
    plan::BoundPlan bound;
    Times times;
    base::PhysAddr io_permissions, msr_permissions; // the same for all partitions
    base::FixedVector<Cpu*, plan::max_cpus> cpus;   // by rank
    base::FixedVector<Partition*, plan::max_partitions> partitions;
};

// No destructor of it ever runs.
static_assert(std::is_trivially_destructible_v<Machine>);
[[nodiscard]] inline Machine& machine() {
    static constinit Machine instance{};
    return instance;
}

} // namespace hv
