// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bound_plan.cpp
#include "hypervisor/core/plan/bound_plan.hpp"

namespace plan {

std::span<const Placement> BoundPlan::placements_of(std::uint32_t partition) const {
    std::size_t first = 0;
    while (first < placements.size() && placements[first].partition != partition)
        ++first;
    std::size_t count = 0;
    while (first + count < placements.size() && placements[first + count].partition == partition)
        ++count;
    return placements.view().subspan(first, count);
}

const BoundCpu* BoundPlan::cpu_of(std::uint32_t partition, std::uint32_t vcpu) const {
    for (const BoundCpu& cpu : cpus)
        if (cpu.partition == partition && cpu.vcpu == vcpu)
            return &cpu;
    return nullptr;
}

std::optional<std::uint64_t> BoundPlan::host_address(std::uint32_t partition, std::uint64_t gpa,
                                                     std::uint64_t* contiguous) const {
    for (const Placement& placement : placements_of(partition)) {
        if (gpa < placement.gpa || gpa - placement.gpa >= placement.bytes)
            continue;
        std::uint64_t offset = gpa - placement.gpa;
        for (const memory::Run& run : runs_of(placement)) {
            if (offset < run.bytes) {
                if (contiguous != nullptr)
                    *contiguous = run.bytes - offset;
                return run.base + offset;
            }
            offset -= run.bytes;
        }
    }
    return std::nullopt;
}

std::uint32_t BoundPlan::time_cpu() const {
    constexpr std::uint32_t highest_apic_id = 254;
    for (std::uint32_t rank = 0; rank < cpus.size(); ++rank)
        if (cpus[rank].partition == no_index && cpus[rank].apic_id <= highest_apic_id)
            return rank;
    return 0;
}

void BoundPlan::clear() {
    cpus.clear();
    placements.clear();
    runs.clear();
    pool = {};
    free.clear();
    pool_frames = 0;
    table_frames = 0;
}

} // namespace plan
