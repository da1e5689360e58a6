// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/cpu_assignment.cpp
#include "hypervisor/core/plan/cpu_assignment.hpp"

#include <algorithm>
#include <bit>
#include <tuple>

namespace plan {

namespace {

std::tuple<bool, std::uint32_t, std::uint32_t, std::uint32_t, std::uint32_t> order_of(const Cpu& cpu) {
    return {!cpu.boot, cpu.package, cpu.core, cpu.thread, cpu.apic_id};
}

Status check_list(std::span<const Cpu> cpus) {
    std::size_t boot = 0;
    for (std::size_t i = 0; i < cpus.size(); ++i) {
        boot += cpus[i].boot ? 1 : 0;
        for (std::size_t other = 0; other < i; ++other)
            if (cpus[other].apic_id == cpus[i].apic_id)
                return base::Failure{Issue{Error::bad_cpu_list, no_index, no_index, cpus[i].apic_id, 0}};
    }
    if (boot != 1)
        return base::Failure{Issue{Error::bad_cpu_list}};
    return base::success;
}

// The CPU that comes next after `last` in rank order; APIC IDs are unique, so the order is total.
const Cpu* next_in_order(std::span<const Cpu> cpus, const Cpu* last) {
    const Cpu* next = nullptr;
    for (const Cpu& cpu : cpus)
        if ((last == nullptr || order_of(*last) < order_of(cpu)) &&
            (next == nullptr || order_of(cpu) < order_of(*next)))
            next = &cpu;
    return next;
}

void rank(std::span<const Cpu> cpus, BoundPlan& bound) {
    std::array<const Cpu*, max_cpus> ranked{};
    const Cpu* last = nullptr;
    while (bound.cpus.size() < std::min<std::size_t>(cpus.size(), max_cpus)) {
        last = next_in_order(cpus, last);
        const auto index = static_cast<std::uint32_t>(bound.cpus.size());
        std::uint32_t core = index;
        for (std::uint32_t other = 0; other < index && core == index; ++other)
            if (ranked[other]->package == last->package && ranked[other]->core == last->core)
                core = bound.cpus[other].core;
        ranked[index] = last;
        const bool room = bound.cpus.push_back({last->apic_id, no_index, 0, core});
        base::expects(room, "plan: ranks");
    }
}

// Who else has a CPU of that core so that `partition` must not, or no_index.
std::uint32_t in_the_way(const Plan& plan, const BoundPlan& bound, std::uint32_t core,
                         std::uint32_t partition) {
    for (const BoundCpu& cpu : bound.cpus)
        if (cpu.core == core && cpu.partition != no_index && !may_share_core(plan, cpu.partition, partition))
            return cpu.partition;
    return no_index;
}

Status assign_set(const Plan& plan, BoundPlan& bound, std::uint32_t partition, std::uint64_t set) {
    std::uint32_t vcpu = 0;
    for (std::uint32_t rank = 0; rank < max_cpus; ++rank) {
        if ((set >> rank & 1) == 0)
            continue;
        if (rank >= bound.cpus.size())
            return base::Failure{
                Issue{Error::not_enough_cpus, partition, no_index, rank + 1, bound.cpus.size()}};
        const std::uint32_t owner = in_the_way(plan, bound, bound.cpus[rank].core, partition);
        if (owner != no_index)
            return base::Failure{Issue{Error::core_shared, partition, owner, rank, 0}};
        bound.cpus[rank].partition = partition;
        bound.cpus[rank].vcpu = vcpu++;
    }
    return base::success;
}

Status assign_count(const Plan& plan, BoundPlan& bound, std::uint32_t partition, std::uint32_t count) {
    std::uint32_t vcpu = 0;
    for (BoundCpu& cpu : bound.cpus) {
        if (vcpu == count)
            break;
        if (cpu.partition != no_index || in_the_way(plan, bound, cpu.core, partition) != no_index)
            continue;
        cpu.partition = partition;
        cpu.vcpu = vcpu++;
    }
    if (vcpu < count)
        return base::Failure{Issue{Error::not_enough_cpus, partition, no_index, count, vcpu}};
    return base::success;
}

} // namespace

bool may_share_core(const Plan& plan, std::uint32_t one, std::uint32_t other) {
    return one == other || (plan.partition(one).flags & plan.partition(other).flags & flag_smt_shared) != 0;
}

Status assign_cpus(const Plan& plan, std::span<const Cpu> cpus, BoundPlan& bound) {
    CAISSON_TRY(check_list(cpus));
    rank(cpus, bound);
    if (plan.cpus_needed() > bound.cpus.size())
        return base::Failure{
            Issue{Error::not_enough_cpus, no_index, no_index, plan.cpus_needed(), bound.cpus.size()}};
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i)
        if (const std::uint64_t set = plan.partition(i).cpu_set; set != 0)
            CAISSON_TRY(assign_set(plan, bound, i, set));
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i)
        if (const Partition partition = plan.partition(i); partition.cpu_set == 0)
            CAISSON_TRY(assign_count(plan, bound, i, partition.cpu_count));
    return base::success;
}

} // namespace plan
