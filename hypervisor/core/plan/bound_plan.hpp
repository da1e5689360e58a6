// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bound_plan.hpp - the plan on this machine: host frames and APIC IDs.
//
// Pure data, about 35 KiB; made by bind(), confirmed by check(), then constant.
#pragma once

#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/memory/frame_pool.hpp"
#include "hypervisor/core/plan/format.hpp"

namespace plan {

inline constexpr std::size_t max_pieces_per_region = 8;
inline constexpr std::size_t max_pieces = 384;

// Guest memory that is contiguous in host memory. The pieces of a region follow one another and fill it.
struct Piece {
    std::uint64_t gpa;
    memory::Run host;
    std::uint32_t partition;
    RegionKind kind;
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
    base::FixedVector<Piece, max_pieces> pieces; // by partition, then gpa
    memory::FramePool pool;         // the hypervisor's frames: second-stage tables and the needs in Options
    memory::Runs free;              // what is left of usable memory: nobody's
    std::uint64_t table_frames = 0; // of the pool, for second-stage tables

    [[nodiscard]] std::span<const Piece> pieces_of(std::uint32_t partition) const;
    // Host address of a guest-physical byte of that partition, or nothing; `contiguous` (if given) becomes
    // the number of bytes from there on that are contiguous in host memory.
    [[nodiscard]] std::optional<std::uint64_t> host_address(std::uint32_t partition, std::uint64_t gpa,
                                                            std::uint64_t* contiguous = nullptr) const;
    // The rank of the CPU that time interrupts go to: a parked one, else the boot CPU. Interrupts reach 8-bit APIC IDs only.
    [[nodiscard]] std::uint32_t time_cpu() const;
};

} // namespace plan
