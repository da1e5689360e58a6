// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bind.cpp - CPUs, then frames for everything in this order: what is taken already (low memory,
// reserved ranges, the bundle with the roots that stay in it), then the retained log (first, so that it lies where it lay when
// the same machine boots again), then the hypervisor's pool, then partition by partition its RAM and a root that must be copied,
// then the wires.
#include "hypervisor/core/plan/bind.hpp"

#include "hypervisor/base/weakness.hpp"
#include "hypervisor/core/bundle/format.hpp"
#include "hypervisor/core/bytes/checked.hpp"

#include <algorithm>
#include <bit>
#include <memory>
#include <tuple>

namespace plan {
namespace {

// Whose a CPU is. Named sets are served first, then counts in the plan's order, lowest ranks first; a core is shared only by
// partitions that are all marked so, what is left of a core stays parked.
class CpuBinder {
public:
    CpuBinder(const Plan& plan, base::FixedVector<BoundCpu, max_cpus>& cpus) : plan_(plan), cpus_(cpus) {}

    [[nodiscard]] Status run(std::span<const Cpu> machine) {
        for (const Cpu& cpu : machine)
            CAISSON_TRY(ensure(std::ranges::count(machine, cpu.apic_id, &Cpu::apic_id) == 1,
                               Error::bad_cpu_list, no_index, cpu.apic_id));
        CAISSON_TRY(ensure(std::ranges::count(machine, true, &Cpu::boot) == 1, Error::bad_cpu_list));
        rank(machine);
        CAISSON_TRY(ensure(plan_.cpus_needed() <= cpus_.size(), Error::not_enough_cpus, no_index,
                           plan_.cpus_needed(), cpus_.size()));
        for (const bool named : {true, false})
            for (std::uint32_t i = 0; i < plan_.partition_count(); ++i)
                if (const Partition partition = plan_.partition(i); (partition.cpu_set != 0) == named)
                    CAISSON_TRY(assign(i, partition));
        return base::success;
    }

private:
    void rank(std::span<const Cpu> machine) {
        const auto order = [](const Cpu& cpu) {
            return std::tuple{!cpu.boot, cpu.package, cpu.core, cpu.thread, cpu.apic_id};
        };
        std::array<Cpu, max_cpus> ranked;
        const auto end = std::ranges::partial_sort_copy(machine, ranked, {}, order, order).out;
        for (auto cpu = ranked.begin(); cpu != end; ++cpu) {
            const auto sibling = std::find_if(ranked.begin(), cpu, [cpu](const Cpu& other) {
                return other.package == cpu->package && other.core == cpu->core;
            });
            const bool room = cpus_.push_back(
                {cpu->apic_id, no_index, 0, static_cast<std::uint32_t>(sibling - ranked.begin())});
            base::expects(room, "plan: ranks");
        }
    }

    // The ranks that it names, or as many of the lowest as it asks for, where nobody else is in the way.
    [[nodiscard]] Status assign(std::uint32_t index, const Partition& partition) {
        const auto ranks = static_cast<std::size_t>(std::bit_width(partition.cpu_set));
        CAISSON_TRY(ensure(ranks <= cpus_.size(), Error::not_enough_cpus, index, ranks, cpus_.size()));
        std::uint32_t vcpu = 0;
        for (std::uint32_t rank = 0; rank < cpus_.size() && vcpu < partition.cpu_count; ++rank) {
            const bool named = (partition.cpu_set >> rank & 1) != 0;
            if (partition.cpu_set != 0 && !named)
                continue;
            const std::uint32_t owner = in_the_way(cpus_[rank].core, index);
            CAISSON_TRY(ensure(!named || owner == no_index, Error::core_shared, index, rank, 0u, owner));
            if (owner != no_index || cpus_[rank].partition != no_index)
                continue;
            cpus_[rank].partition = index;
            cpus_[rank].vcpu = vcpu++;
        }
        return ensure(vcpu == partition.cpu_count, Error::not_enough_cpus, index, partition.cpu_count, vcpu);
    }

    // Who else has a CPU of that core so that `partition` must not, or no_index.
    [[nodiscard]] std::uint32_t in_the_way(std::uint32_t core, std::uint32_t partition) const {
        for (const BoundCpu& cpu : cpus_)
            if (cpu.core == core && cpu.partition != no_index &&
                !plan_.may_share_core(cpu.partition, partition))
                return cpu.partition;
        return no_index;
    }

    const Plan& plan_;
    base::FixedVector<BoundCpu, max_cpus>& cpus_;
};

class FrameBinder {
public:
    FrameBinder(const Plan& plan, const Machine& machine, const Options& options, BoundPlan& bound)
        : plan_(plan), machine_(machine), options_(options), bound_(bound), free_(bound.free) {}

    // The pool's size follows from the second-stage tables, theirs from the pieces, and where the pieces go from the pool's
    // place: a few rounds settle it.
    [[nodiscard]] Status run() {
        constexpr unsigned rounds = 4;
        CAISSON_TRY(check_sections());
        for (unsigned i = 0; i < rounds; ++i) {
            bound_.pieces.clear();
            bound_.wires.clear();
            CAISSON_TRY(take_what_is_there());
            CAISSON_TRY(check_total());
            CAISSON_TRY(place_high(plan_.header().behaviour.retained_log, bound_.retained));
            CAISSON_TRY(place_pool());
            for (std::uint32_t n = 0; n < plan_.partition_count(); ++n)
                CAISSON_TRY(place_partition(n));
            for (std::uint32_t n = 0; n < plan_.wire_count(); ++n)
                CAISSON_TRY(place_wire(plan_.wire(n)));
            const std::uint64_t tables = table_frames(plan_, options_, bound_);
            if (tables <= bound_.table_frames)
                return base::success;
            bound_.table_frames = tables;
        }
        return ensure(false, Error::too_fragmented);
    }

private:
    // A root is mapped whole. Like what is copied, it is the partition's own or everybody's.
    [[nodiscard]] Status check_section(std::uint32_t partition, const Load& load, bool root) const {
        using bundle::SectionType;
        CAISSON_TRY(ensure(load.section < machine_.sections.size(), Error::section_missing, partition,
                           load.section, machine_.sections.size()));
        const SectionExtent& section = machine_.sections[load.section];
        const auto type = static_cast<SectionType>(section.type);
        const bool right_type =
            root ? type == SectionType::root : type == SectionType::kernel || type == SectionType::module;
        const bool right_owner = section.partition == partition || section.partition == bundle::no_partition;
        const bool right_size =
            root ? load.bytes == section.size : bytes::lies_within(load.offset, load.bytes, section.size);
        return ensure(right_type && right_owner && right_size &&
                          bytes::lies_within(section.offset, section.size, machine_.bundle_bytes),
                      Error::section_mismatch, partition, load.section);
    }

    [[nodiscard]] Status check_sections() const {
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i) {
            const Partition partition = plan_.partition(i);
            for (std::uint32_t n = 0; n < partition.load_count; ++n)
                if (const Load load = plan_.load(partition.first_load + n); load.section != no_section)
                    CAISSON_TRY(check_section(i, load, false));
            for (const Region& region : partition.regions)
                if (region.kind == RegionKind::root_image)
                    CAISSON_TRY(
                        check_section(i, {region.gpa, region.bytes, 0, partition.root_section, 0}, true));
        }
        return base::success;
    }

    // What stays free of usable memory: nothing below 1 MiB, no reserved range, not the bundle (roots stay in it).
    [[nodiscard]] Status take_what_is_there() {
        const memory::Run bundle{machine_.bundle_base, machine_.bundle_bytes};
        free_ = *machine_.map;
        bool room = free_.remove(0, low_memory_end);
        for (const memory::Run& run : machine_.reserved) {
            CAISSON_TRY(ensure(bytes::lies_within(run.base, run.bytes, memory::address_limit),
                               Error::bad_reserved, no_index, run.base));
            room = room && free_.remove(run.base, run.bytes);
        }
        CAISSON_TRY(
            ensure(free_.contains(bundle.base, bundle.bytes), Error::bundle_outside, no_index, bundle.base));
        return ensure(room && free_.remove(bundle.base, bundle.bytes), Error::too_fragmented);
    }

    [[nodiscard]] std::uint64_t root_address(const Partition& partition) const {
        return machine_.bundle_base + machine_.sections[partition.root_section].offset;
    }
    // The root of the first partition that names it, where the bundle lies so that it can be mapped; the others get copies.
    [[nodiscard]] bool stays_in_bundle(std::uint32_t index, const Partition& partition,
                                       const Region& region) const {
        if (region.kind != RegionKind::root_image || root_address(partition) % base::page_size != 0)
            return false;
        for (std::uint32_t before = 0; before < index; ++before)
            if (plan_.partition(before).root_section == partition.root_section)
                return base::weak("shared_root");
        return true;
    }

    // Fails early with the sum, so that a person sees the whole need and not the last straw.
    [[nodiscard]] Status check_total() const {
        std::uint64_t needed =
            pool_frames(plan_, options_, bound_) * base::page_size + plan_.header().behaviour.retained_log;
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i) {
            const Partition partition = plan_.partition(i);
            for (const Region& region : partition.regions)
                needed += stays_in_bundle(i, partition, region) ? 0 : region.bytes;
        }
        for (std::uint32_t i = 0; i < plan_.wire_count(); ++i)
            needed += plan_.wire(i).bytes();
        return ensure(needed <= free_.bytes(), Error::not_enough_memory, no_index, needed, free_.bytes());
    }

    // What is the hypervisor's: one piece, since multi-frame structures need neighbours, as high as it may lie: partitions fill
    // memory from its lowest end, so that its size moves none of their frames.
    [[nodiscard]] Status place_high(std::uint64_t bytes, memory::Run& place) {
        std::uint64_t longest = 0, base = 0;
        for (const memory::Run& run : free_.view()) {
            const std::uint64_t room =
                std::min(run.end(), machine_.pool_end) - std::min(run.base, machine_.pool_end);
            longest = std::max(longest, room);
            base = room >= bytes ? run.base + room - bytes : base;
        }
        CAISSON_TRY(ensure(longest >= bytes, Error::no_place_for_pool, no_index, bytes, longest));
        place = {base, bytes};
        return ensure(free_.remove(base, bytes), Error::too_fragmented);
    }

    [[nodiscard]] Status place_pool() {
        memory::Run run;
        CAISSON_TRY(place_high(pool_frames(plan_, options_, bound_) * base::page_size, run));
        bound_.pool = {};
        return ensure(bound_.pool.add(run), Error::too_fragmented);
    }

    [[nodiscard]] Status place_partition(std::uint32_t index) {
        const Partition partition = plan_.partition(index);
        for (const Region& region : partition.regions) {
            const bool in_place = stays_in_bundle(index, partition, region);
            Piece piece{
                region.gpa, {}, index, region.kind, region.kind == RegionKind::root_image && !in_place};
            const std::size_t most = bound_.pieces.size() + max_pieces_per_region;
            const auto put = [&](const memory::Run& run) {
                piece.host = run;
                const bool room = bound_.pieces.size() < most && bound_.pieces.push_back(piece);
                piece.gpa += run.bytes;
                return room;
            };
            if (in_place)
                CAISSON_TRY(
                    ensure(put({root_address(partition), region.bytes}), Error::too_fragmented, index));
            else
                CAISSON_TRY(place(index, region.bytes,
                                  options_.huge_pages ? base::huge_page_size : base::large_page_size, put));
        }
        return base::success;
    }

    // In one piece: it is small, and its first page is the one that everybody looks at.
    [[nodiscard]] Status place_wire(const Wire& wire) {
        const auto run = free_.find(wire.bytes(), base::page_size);
        return ensure(run && free_.remove(run->base, run->bytes) && bound_.wires.push_back(*run),
                      Error::too_fragmented, wire.partitions[0], wire.bytes(), free_.bytes());
    }

    // Free runs for `bytes`, each handed to put(run).
    template <typename Put>
    [[nodiscard]] Status place(std::uint32_t partition, std::uint64_t bytes, std::uint64_t alignment,
                               Put put) {
        while (bytes != 0) {
            const auto run = next_run(bytes, alignment);
            CAISSON_TRY(ensure(run.has_value(), Error::not_enough_memory, partition, bytes, free_.bytes()));
            CAISSON_TRY(ensure(free_.remove(run->base, run->bytes) && put(*run), Error::too_fragmented,
                               partition, bytes, free_.bytes()));
            bytes -= run->bytes;
        }
        return base::success;
    }

    // One run if there is one, else the longest there is. Runs but the last are multiples of 2 MiB while such runs exist, so
    // that the guest's 2 MiB pages stay 2 MiB pages of the host.
    [[nodiscard]] std::optional<memory::Run> next_run(std::uint64_t bytes, std::uint64_t most_aligned) const {
        for (const std::uint64_t alignment : {base::huge_page_size, base::large_page_size, base::page_size}) {
            if (alignment > most_aligned || alignment > bytes)
                continue;
            if (const auto run = free_.find(bytes, alignment))
                return run;
            if (alignment == base::huge_page_size)
                continue;
            if (const auto run = free_.longest(alignment))
                return memory::Run{run->base, std::min(run->bytes, bytes)};
        }
        return std::nullopt;
    }

    const Plan& plan_;
    const Machine& machine_;
    const Options& options_;
    BoundPlan& bound_;
    memory::Runs& free_;
};

// Tables of one level that a piece needs. Each covers a window: one for each window that the piece touches and does not fill
// with one leaf of the window's size.
std::uint64_t tables_of(const Piece& piece, std::uint64_t window, bool leaves) {
    const std::uint64_t end = piece.gpa + piece.host.bytes;
    const std::uint64_t touched = (end - 1) / window - piece.gpa / window + 1;
    if (!leaves || piece.gpa % window != piece.host.base % window)
        return touched;
    return std::min<std::uint64_t>(touched, (piece.gpa % window != 0 ? 1 : 0) + (end % window != 0 ? 1 : 0));
}

Status bind_all(const Plan& plan, const Machine& machine, const Options& options, BoundPlan& bound) {
    CAISSON_TRY(CpuBinder(plan, bound.cpus).run(machine.cpus));
    CAISSON_TRY(bind_devices(plan, machine, bound));
    return FrameBinder{plan, machine, options, bound}.run();
}

} // namespace

Status bind(const Plan& plan, const Machine& machine, const Options& options, BoundPlan& bound) {
    base::expects(machine.map != nullptr, "bind: no memory map");
    std::construct_at(&bound);
    const auto status = bind_all(plan, machine, options, bound);
    if (!status.ok())
        std::construct_at(&bound);
    return status;
}

// A window that two pieces share is counted for both. Wires and BARs are mapped by pages. A device takes a context table and its
// owner's RAM as it sees it, in pages of 2 MiB at most.
std::uint64_t table_frames(const Plan& plan, const Options& options, const BoundPlan& bound) {
    std::uint64_t frames = bound.devices.size();
    for (const BoundDevice& device : bound.devices)
        for (const BoundBar& bar : device.bars)
            for (const std::uint64_t window : {base::large_page_size, base::huge_page_size})
                if (bar.bytes != 0)
                    frames +=
                        tables_of({bar.gpa, {bar.host, bar.bytes}, 0, RegionKind::ram, false}, window, false);
    for (const Piece& piece : bound.pieces)
        if (piece.kind == RegionKind::ram &&
            std::ranges::find(bound.devices, piece.partition, &BoundDevice::partition) != bound.devices.end())
            frames += 1 + tables_of(piece, base::large_page_size, true) +
                      tables_of(piece, base::huge_page_size, false) +
                      tables_of(piece, std::uint64_t{512} << 30, false);
    for (std::uint32_t i = 0; i < bound.wires.size(); ++i)
        for (const std::uint64_t gpa : plan.wire(i).gpa)
            for (const std::uint64_t window : {base::large_page_size, base::huge_page_size})
                frames += tables_of({gpa, bound.wires[i], 0, RegionKind::ram, false}, window, false);
    std::uint32_t partition = no_index;
    for (const Piece& piece : bound.pieces) {
        frames += (piece.partition != partition ? 1 : 0) + // the root table
                  tables_of(piece, base::large_page_size, options.large_pages) +
                  tables_of(piece, base::huge_page_size, options.large_pages && options.huge_pages) +
                  tables_of(piece, std::uint64_t{512} << 30, false);
        partition = piece.partition;
    }
    return frames;
}

// The last term is the pool's own map: a last-level table for each 2 MiB that it touches.
std::uint64_t pool_frames(const Plan& plan, const Options& options, const BoundPlan& bound) {
    constexpr std::uint64_t frames_a_table = 512;
    const std::uint64_t frames =
        bound.table_frames + options.frames_fixed + options.frames_per_cpu * bound.cpus.size() +
        options.frames_per_partition * plan.partition_count() + options.frames_per_vcpu * plan.cpus_needed();
    return frames + frames / (frames_a_table - 1);
}

} // namespace plan
