// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bound_plan.hpp - the plan on this machine: host frames and APIC IDs.
//
// Pure data, about 41 KiB; made by bind(), confirmed by check(), then constant.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/memory/frame_pool.hpp"
#include "hypervisor/core/plan/device.hpp"
#include "hypervisor/core/plan/format.hpp"
#include "hypervisor/core/plan/pieces.hpp"

namespace plan {

// In rank order: rank = index. Ranks go by (package, core, thread), boot CPU first.
struct BoundCpu {
    std::uint32_t apic_id;
    std::uint32_t partition; // or no_index: parked
    std::uint32_t vcpu;      // index in its partition
    std::uint32_t core;      // equal for SMT siblings, else different
};

struct BoundPlan {
    base::FixedVector<BoundCpu, max_cpus> cpus;
    Pieces pieces;
    base::FixedVector<memory::Run, max_wires> wires;     // the frames of each, in the plan's order
    base::FixedVector<BoundDevice, max_devices> devices; // in the plan's order
    memory::FramePool pool;         // the hypervisor's frames: second-stage tables and the needs in Options
    memory::Run retained{};         // for the retained log
    memory::Runs free;              // what is left of usable memory: without an owner
    std::uint64_t table_frames = 0; // of the pool, for second-stage tables

    [[nodiscard]] std::span<const Piece> pieces_of(std::uint32_t partition) const {
        return plan::pieces_of(pieces.view(), partition);
    }
    [[nodiscard]] std::optional<HostMemory> host_memory(std::uint32_t partition,
                                                        base::GuestPhysAddr gpa) const {
        return plan::host_memory(pieces.view(), partition, gpa);
    }
    // The rank of the CPU that time interrupts go to: a parked one, else the boot CPU. Interrupts reach 8-bit APIC IDs only.
    [[nodiscard]] std::uint32_t time_cpu() const;
};

} // namespace plan
