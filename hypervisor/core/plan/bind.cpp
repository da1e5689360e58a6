// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bind.cpp - frames for everything, in this order: what is taken already (roots in
// place, the bundle, low memory, reserved ranges), roots that must be copied, RAM in the plan's order, the
// hypervisor's pool.
#include "hypervisor/core/plan/bind.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bytes/checked.hpp"
#include "hypervisor/core/plan/cpu_assignment.hpp"

#include <algorithm>

namespace plan {

namespace {

constexpr std::uint64_t low_memory_end = std::uint64_t{1} << 20;

base::Failure<Issue> failure(Error error, std::uint32_t partition = no_index, std::uint64_t needed = 0,
                             std::uint64_t available = 0) {
    return {Issue{error, partition, no_index, needed, available}};
}

class Binder {
public:
    Binder(const Plan& plan, const Machine& machine, const Options& options, BoundPlan& bound)
        : plan_(plan), machine_(machine), options_(options), bound_(bound), free_(bound.free) {}

    [[nodiscard]] Status run() {
        CAISSON_TRY(assign_cpus(plan_, machine_.cpus, bound_));
        CAISSON_TRY(check_sections());
        CAISSON_TRY(take_what_is_there());
        CAISSON_TRY(check_total());
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i)
            CAISSON_TRY(place_partition(i));
        return fill_pool();
    }

private:
    // A root is one partition's; what is copied may be everybody's.
    [[nodiscard]] Status check_section(std::uint32_t partition, std::uint32_t index, bool root) const {
        using bundle::SectionType;
        if (index >= machine_.sections.size())
            return failure(Error::section_missing, partition, index, machine_.sections.size());
        const SectionExtent& section = machine_.sections[index];
        const auto type = static_cast<SectionType>(section.type);
        const bool right =
            root ? type == SectionType::root : type == SectionType::kernel || type == SectionType::module;
        if (!right ||
            (section.partition != partition && (root || section.partition != bundle::no_partition)) ||
            !bytes::lies_within(section.offset, section.size, machine_.bundle_bytes))
            return failure(Error::section_mismatch, partition, index);
        return base::success;
    }

    [[nodiscard]] Status check_load(std::uint32_t partition, const Load& load) const {
        if (load.section == no_section)
            return base::success;
        CAISSON_TRY(check_section(partition, load.section, false));
        return bytes::lies_within(load.offset, load.bytes, machine_.sections[load.section].size)
                   ? Status{base::success}
                   : failure(Error::section_mismatch, partition, load.section);
    }

    [[nodiscard]] Status check_sections() const {
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i) {
            const Partition partition = plan_.partition(i);
            for (std::uint32_t load = 0; load < partition.load_count; ++load)
                CAISSON_TRY(check_load(i, plan_.load(partition.first_load + load)));
            if (partition.root_section == no_section)
                continue;
            CAISSON_TRY(check_section(i, partition.root_section, true));
            if (machine_.sections[partition.root_section].size != plan_.root_bytes(i))
                return failure(Error::section_mismatch, i, partition.root_section);
        }
        return base::success;
    }

    [[nodiscard]] std::uint64_t root_address(const Partition& partition) const {
        return machine_.bundle_base + machine_.sections[partition.root_section].offset;
    }
    [[nodiscard]] bool root_in_place(const Partition& partition) const {
        return partition.root_section != no_section && root_address(partition) % base::page_size == 0;
    }

    // What stays free of usable memory: not the bundle (roots stay in it), nothing below 1 MiB, no reserved range.
    [[nodiscard]] Status take_what_is_there() {
        CAISSON_TRY(check_bundle_place());
        free_ = *machine_.map;
        bool taken =
            free_.remove(machine_.bundle_base, machine_.bundle_bytes) && free_.remove(0, low_memory_end);
        for (const memory::Run& run : machine_.reserved)
            taken = taken && free_.remove(run.base, run.bytes);
        return taken ? Status{base::success} : failure(Error::too_fragmented);
    }

    // The bundle lies in memory that could be anybody's, above 1 MiB, and shares no byte with a reserved
    // range.
    [[nodiscard]] Status check_bundle_place() const {
        const std::uint64_t base = machine_.bundle_base;
        const auto end = bytes::checked_add(base, machine_.bundle_bytes);
        if (machine_.bundle_bytes == 0 || !end || *end > memory::address_limit || base < low_memory_end)
            return failure(Error::bundle_outside, no_index, base);
        const std::uint64_t first = base::round_down(base, base::page_size);
        if (!machine_.map->contains(first, *end - first))
            return failure(Error::bundle_outside, no_index, base);
        for (const memory::Run& run : machine_.reserved)
            if (!bytes::lies_within(run.base, run.bytes, memory::address_limit) ||
                (run.base < *end && base < run.end() && run.bytes != 0))
                return failure(Error::bad_reserved, no_index, run.base);
        return base::success;
    }

    // Fails early with the sum, so that a person sees the whole need and not the last straw.
    [[nodiscard]] Status check_total() const {
        std::uint64_t needed = other_frames() * base::page_size;
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i) {
            const Partition partition = plan_.partition(i);
            needed += partition.memory_bytes;
            if (partition.root_section != no_section && !root_in_place(partition))
                needed += plan_.root_bytes(i);
        }
        const std::uint64_t available = free_.bytes();
        return needed <= available ? Status{base::success}
                                   : failure(Error::not_enough_memory, no_index, needed, available);
    }

    [[nodiscard]] Status place_partition(std::uint32_t index) {
        const Partition partition = plan_.partition(index);
        for (std::uint32_t i = 0; i < partition.region_count; ++i) {
            const Region& region = partition.regions[i];
            const auto kind = static_cast<RegionKind>(region.kind);
            const bool in_place = kind == RegionKind::root_image && root_in_place(partition);
            Placement placement{region.gpa,
                                region.bytes,
                                index,
                                kind,
                                static_cast<std::uint16_t>(bound_.runs.size()),
                                0,
                                kind == RegionKind::root_image && !in_place};
            if (in_place) {
                if (!bound_.runs.push_back({root_address(partition), region.bytes}))
                    return failure(Error::too_fragmented, index);
            } else {
                CAISSON_TRY(place_region(index, region.bytes));
            }
            placement.run_count = static_cast<std::uint16_t>(bound_.runs.size() - placement.first_run);
            const bool room = bound_.placements.push_back(placement);
            base::expects(room, "plan: placements");
        }
        return base::success;
    }

    // Runs for `bytes` of guest memory: one run if there is one, else the longest there are. Runs but the
    // last are multiples of 2 MiB while such runs exist, so that the guest's 2 MiB pages stay 2 MiB pages of
    // the host.
    [[nodiscard]] Status place_region(std::uint32_t partition, std::uint64_t bytes) {
        std::uint64_t rest = bytes;
        for (std::size_t count = 0; rest != 0; ++count) {
            const auto run = next_run(rest);
            if (!run || count == max_runs_per_region)
                return no_room(partition, rest);
            if (!free_.remove(run->base, run->bytes) || !bound_.runs.push_back(*run))
                return failure(Error::too_fragmented, partition, rest, free_.bytes());
            rest -= run->bytes;
        }
        return base::success;
    }

    [[nodiscard]] std::optional<memory::Run> next_run(std::uint64_t rest) const {
        if (options_.huge_pages && rest >= base::huge_page_size)
            if (const auto run = free_.find(rest, base::huge_page_size))
                return run;
        for (const std::uint64_t alignment : {base::large_page_size, base::page_size}) {
            if (rest < alignment)
                continue;
            if (const auto run = free_.find(rest, alignment))
                return run;
            if (const auto run = free_.longest(alignment))
                return memory::Run{run->base, std::min(run->bytes, rest)};
        }
        return std::nullopt;
    }

    [[nodiscard]] base::Failure<Issue> no_room(std::uint32_t partition, std::uint64_t needed) const {
        const std::uint64_t available = free_.bytes();
        return failure(available < needed ? Error::not_enough_memory : Error::too_fragmented, partition,
                       needed, available);
    }

    // The hypervisor's frames but the second-stage tables.
    [[nodiscard]] std::uint64_t other_frames() const {
        return options_.frames_fixed + options_.frames_per_cpu * bound_.cpus.size() +
               options_.frames_per_partition * plan_.partition_count() +
               options_.frames_per_vcpu * plan_.cpus_needed();
    }

    // One run if there is one: multi-frame structures need neighbours.
    [[nodiscard]] Status fill_pool() {
        bound_.table_frames = table_frames(bound_, options_);
        bound_.pool_frames = bound_.table_frames + other_frames();
        std::uint64_t rest = bound_.pool_frames * base::page_size;
        while (rest != 0) {
            auto run = free_.find(rest, base::page_size);
            if (!run)
                run = free_.longest(base::page_size);
            if (!run)
                return no_room(no_index, rest);
            if (!free_.remove(run->base, run->bytes) || !bound_.pool.add(*run))
                return failure(Error::too_fragmented, no_index, rest, free_.bytes());
            rest -= run->bytes;
        }
        return base::success;
    }

    const Plan& plan_;
    const Machine& machine_;
    const Options& options_;
    BoundPlan& bound_;
    memory::Runs& free_;
};

} // namespace

Status bind(const Plan& plan, const Machine& machine, const Options& options, BoundPlan& bound) {
    base::expects(machine.map != nullptr, "bind: no memory map");
    bound.clear();
    const Status status = Binder{plan, machine, options, bound}.run();
    if (!status.ok())
        bound.clear();
    return status;
}

} // namespace plan
