// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bound_plan.hpp - the plan on this machine: host frames and APIC IDs.
//
// Pure data, about 35 KiB; made by bind(), confirmed by check(), then constant.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/memory/frame_pool.hpp"
#include "hypervisor/core/plan/format.hpp"
#include "hypervisor/core/plan/issue.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace plan {

inline constexpr std::size_t max_runs_per_region = 8;
inline constexpr std::size_t max_placements = max_partitions * max_regions;
inline constexpr std::size_t max_runs = 384;

// A CPU as firmware describes it.
struct Cpu {
    std::uint32_t apic_id;
    std::uint32_t package;
    std::uint32_t core; // in the package
    std::uint32_t thread;
    bool boot;
};

// One guest region backed by host runs, in order; their lengths add up to `bytes`.
struct Placement {
    std::uint64_t gpa;
    std::uint64_t bytes;
    std::uint32_t partition;
    RegionKind kind;
    std::uint16_t first_run; // in BoundPlan::runs
    std::uint16_t run_count; // 1..max_runs_per_region
    bool copied; // root image: copy the section here, then hash the copy; else it lies in the bundle
};

// In rank order: rank = index. Ranks go by (package, core, thread), boot CPU first.
struct BoundCpu {
    std::uint32_t apic_id;
    std::uint32_t partition; // or no_index: parked
    std::uint32_t vcpu;      // index in its partition
    std::uint32_t core;      // equal for SMT siblings, else different
};

struct BoundPlan {
    base::FixedVector<BoundCpu, max_cpus> cpus;
    base::FixedVector<Placement, max_placements> placements; // by partition, then gpa
    base::FixedVector<memory::Run, max_runs> runs;
    memory::FramePool pool;         // the hypervisor's frames: second-stage tables and the needs in Options
    memory::Runs free;              // what is left of usable memory: nobody's
    std::uint64_t pool_frames = 0;  // asked for
    std::uint64_t table_frames = 0; // of them, for second-stage tables

    [[nodiscard]] std::span<const memory::Run> runs_of(const Placement& placement) const {
        return runs.view().subspan(placement.first_run, placement.run_count);
    }
    // The placements of one partition.
    [[nodiscard]] std::span<const Placement> placements_of(std::uint32_t partition) const;
    // The CPU of a partition's vCPU, or nothing.
    [[nodiscard]] const BoundCpu* cpu_of(std::uint32_t partition, std::uint32_t vcpu) const;
    // Host address of a guest-physical byte of that partition, or nothing; `contiguous` (if given) becomes
    // the number of bytes from there on that are contiguous in host memory.
    [[nodiscard]] std::optional<std::uint64_t> host_address(std::uint32_t partition, std::uint64_t gpa,
                                                            std::uint64_t* contiguous = nullptr) const;
    // The rank of the CPU that time interrupts go to: a parked one, else the boot CPU. Interrupts reach 8-bit APIC IDs only.
    [[nodiscard]] std::uint32_t time_cpu() const;
    void clear();
};

} // namespace plan
