// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/check.cpp - bind's promises, looked at from the result and the inputs alone.
//
// Shares no decision with bind.cpp: it does not ask how runs were found, only whether they may be what they
// are.
#include "hypervisor/core/plan/bind.hpp"
#include "hypervisor/core/plan/cpu_assignment.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/checked.hpp"

namespace plan {

namespace {

base::Failure<Issue> failure(Error error, std::uint32_t partition = no_index, std::uint64_t needed = 0) {
    return {Issue{error, partition, no_index, needed, 0}};
}

bool overlap(std::uint64_t a, std::uint64_t a_bytes, std::uint64_t b, std::uint64_t b_bytes) {
    return a_bytes != 0 && b_bytes != 0 && a < b + b_bytes && b < a + a_bytes;
}

class Checker {
public:
    Checker(const Plan& plan, const Machine& machine, const Options& options, const BoundPlan& bound)
        : plan_(plan), machine_(machine), options_(options), bound_(bound) {}

    [[nodiscard]] Status run() const {
        CAISSON_TRY(check_cpus());
        CAISSON_TRY(check_placements());
        CAISSON_TRY(check_pool());
        return check_overlaps();
    }

private:
    [[nodiscard]] const Cpu* described(std::uint32_t apic_id) const {
        for (const Cpu& cpu : machine_.cpus)
            if (cpu.apic_id == apic_id)
                return &cpu;
        return nullptr;
    }

    [[nodiscard]] Status check_cpus() const {
        for (std::uint32_t rank = 0; rank < bound_.cpus.size(); ++rank) {
            const BoundCpu& cpu = bound_.cpus[rank];
            const Cpu* real = described(cpu.apic_id);
            if (real == nullptr || real->boot != (rank == 0))
                return failure(Error::check_cpus, cpu.partition, cpu.apic_id);
            for (std::uint32_t other = 0; other < rank; ++other)
                CAISSON_TRY(check_pair(cpu, *real, bound_.cpus[other]));
        }
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i)
            CAISSON_TRY(check_cpus_of(i));
        return base::success;
    }

    [[nodiscard]] Status check_pair(const BoundCpu& cpu, const Cpu& real, const BoundCpu& other) const {
        const Cpu* real_other = described(other.apic_id);
        const bool same_core =
            real_other == nullptr || (real.package == real_other->package && real.core == real_other->core);
        const bool both_used = cpu.partition != no_index && other.partition != no_index;
        if (cpu.apic_id == other.apic_id ||
            (same_core && both_used && !may_share_core(plan_, cpu.partition, other.partition)))
            return failure(Error::check_cpus, cpu.partition, cpu.apic_id);
        return base::success;
    }

    [[nodiscard]] Status check_cpus_of(std::uint32_t partition) const {
        const Partition record = plan_.partition(partition);
        std::uint32_t count = 0;
        std::uint64_t set = 0;
        for (std::uint32_t rank = 0; rank < bound_.cpus.size(); ++rank) {
            if (bound_.cpus[rank].partition != partition)
                continue;
            if (bound_.cpus[rank].vcpu != count)
                return failure(Error::check_cpus, partition, rank);
            set |= std::uint64_t{1} << rank;
            ++count;
        }
        if (count != record.cpu_count || (record.cpu_set != 0 && record.cpu_set != set))
            return failure(Error::check_cpus, partition);
        return base::success;
    }

    [[nodiscard]] Status check_placements() const {
        std::size_t next = 0;
        std::size_t next_run = 0;
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i) {
            const Partition record = plan_.partition(i);
            for (std::uint32_t region = 0; region < record.region_count; ++region, ++next) {
                if (next == bound_.placements.size())
                    return failure(Error::check_regions, i);
                const Placement& placement = bound_.placements[next];
                const Region& wanted = record.regions[region];
                if (placement.partition != i || placement.gpa != wanted.gpa ||
                    placement.bytes != wanted.bytes ||
                    placement.kind != static_cast<RegionKind>(wanted.kind) || placement.first_run != next_run)
                    return failure(Error::check_regions, i, wanted.gpa);
                next_run += placement.run_count;
                CAISSON_TRY(check_runs(placement, record, next_run));
            }
        }
        if (next != bound_.placements.size() || next_run != bound_.runs.size())
            return failure(Error::check_regions);
        return base::success;
    }

    [[nodiscard]] Status check_runs(const Placement& placement, const Partition& record,
                                    std::size_t end) const {
        if (placement.run_count == 0 || placement.run_count > max_runs_per_region || end > bound_.runs.size())
            return failure(Error::check_regions, placement.partition, placement.gpa);
        const bool in_place = placement.kind == RegionKind::root_image && !placement.copied;
        std::uint64_t bytes = 0;
        for (const memory::Run& run : bound_.runs_of(placement)) {
            bytes += run.bytes;
            CAISSON_TRY(check_place(run, placement.partition, in_place));
        }
        if (bytes != placement.bytes)
            return failure(Error::check_regions, placement.partition, placement.gpa);
        if (in_place) {
            const memory::Run run = bound_.runs_of(placement)[0];
            if (record.root_section >= machine_.sections.size() || placement.run_count != 1 ||
                run.base != machine_.bundle_base + machine_.sections[record.root_section].offset ||
                run.bytes != machine_.sections[record.root_section].size)
                return failure(Error::check_place, placement.partition, run.base);
        }
        return base::success;
    }

    // Usable memory above 1 MiB, whole pages, away from what is reserved and (unless it is a root in place)
    // from the bundle.
    [[nodiscard]] Status check_place(const memory::Run& run, std::uint32_t partition, bool in_bundle) const {
        if (run.bytes == 0 || run.base % base::page_size != 0 || run.bytes % base::page_size != 0 ||
            run.base < (std::uint64_t{1} << 20) || !machine_.map->contains(run.base, run.bytes))
            return failure(Error::check_place, partition, run.base);
        for (const memory::Run& reserved : machine_.reserved)
            if (overlap(run.base, run.bytes, reserved.base, reserved.bytes))
                return failure(Error::check_place, partition, run.base);
        const std::uint64_t offset = run.base - machine_.bundle_base;
        if (in_bundle ? run.base < machine_.bundle_base ||
                            !bytes::lies_within(offset, run.bytes, machine_.bundle_bytes)
                      : overlap(run.base, run.bytes, machine_.bundle_base, machine_.bundle_bytes))
            return failure(Error::check_place, partition, run.base);
        return base::success;
    }

    [[nodiscard]] Status check_pool() const {
        const std::uint64_t tables = table_frames(bound_, options_);
        const std::uint64_t others = options_.frames_fixed + options_.frames_per_cpu * bound_.cpus.size() +
                                     options_.frames_per_partition * plan_.partition_count() +
                                     options_.frames_per_vcpu * plan_.cpus_needed();
        if (bound_.table_frames != tables || bound_.pool_frames != tables + others ||
            bound_.pool.total_frames() != bound_.pool_frames)
            return failure(Error::check_pool);
        for (const memory::Run& run : bound_.pool.runs())
            CAISSON_TRY(check_place(run, no_index, false));
        return base::success;
    }

    [[nodiscard]] Status check_overlaps() const {
        for (std::size_t i = 0; i < bound_.runs.size(); ++i) {
            const memory::Run& run = bound_.runs[i];
            for (std::size_t other = 0; other < i; ++other)
                if (overlap(run.base, run.bytes, bound_.runs[other].base, bound_.runs[other].bytes))
                    return failure(Error::check_overlap, no_index, run.base);
            for (const memory::Run& own : bound_.pool.runs())
                if (overlap(run.base, run.bytes, own.base, own.bytes))
                    return failure(Error::check_overlap, no_index, run.base);
        }
        return base::success;
    }

    const Plan& plan_;
    const Machine& machine_;
    const Options& options_;
    const BoundPlan& bound_;
};

} // namespace

Status check(const Plan& plan, const Machine& machine, const Options& options, const BoundPlan& bound) {
    return Checker{plan, machine, options, bound}.run();
}

} // namespace plan
