// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/check.cpp - bind's promises, looked at from the result and the inputs alone.
//
// Shares no decision with bind.cpp: it does not ask how runs were found, only whether they may be what they are.
#include "hypervisor/core/plan/bind.hpp"

#include "hypervisor/core/bytes/checked.hpp"

#include <algorithm>

namespace plan {
namespace {

class Checker {
public:
    Checker(const Plan& plan, const Machine& machine, const Options& options, const BoundPlan& bound)
        : plan_(plan), machine_(machine), options_(options), bound_(bound) {}

    [[nodiscard]] Status run() const {
        CAISSON_TRY(check_cpus());
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i)
            CAISSON_TRY(check_cpus_of(i));
        CAISSON_TRY(check_pieces());
        CAISSON_TRY(check_wires());
        CAISSON_TRY(check_bound_devices(plan_, machine_, bound_));
        CAISSON_TRY(check_pool());
        CAISSON_TRY(check_retained());
        CAISSON_TRY(check_overlaps());
        return check_devices(machine_);
    }

private:
    // Each is one of the machine's, once, the boot CPU first; siblings of a core belong to partitions that may share it.
    [[nodiscard]] Status check_cpus() const {
        for (std::uint32_t rank = 0; rank < bound_.cpus.size(); ++rank) {
            const BoundCpu& cpu = bound_.cpus[rank];
            const auto real = std::ranges::find(machine_.cpus, cpu.apic_id, &Cpu::apic_id);
            CAISSON_TRY(ensure(real != machine_.cpus.end() && real->boot == (rank == 0), Error::check_cpus,
                               cpu.partition, cpu.apic_id));
            for (std::uint32_t before = 0; before < rank; ++before) {
                const BoundCpu& other = bound_.cpus[before];
                const auto real_other = std::ranges::find(machine_.cpus, other.apic_id, &Cpu::apic_id);
                const bool siblings = real->package == real_other->package && real->core == real_other->core;
                const bool both_used = cpu.partition != no_index && other.partition != no_index;
                CAISSON_TRY(
                    ensure(real != real_other && (!siblings || !both_used ||
                                                  plan_.may_share_core(cpu.partition, other.partition)),
                           Error::check_cpus, cpu.partition, cpu.apic_id));
            }
        }
        return base::success;
    }

    [[nodiscard]] Status check_cpus_of(std::uint32_t partition) const {
        const Partition record = plan_.partition(partition);
        std::uint32_t count = 0;
        std::uint64_t set = 0;
        for (std::uint32_t rank = 0; rank < bound_.cpus.size(); ++rank) {
            if (bound_.cpus[rank].partition != partition)
                continue;
            CAISSON_TRY(ensure(bound_.cpus[rank].vcpu == count, Error::check_cpus, partition, rank));
            set |= std::uint64_t{1} << rank;
            ++count;
        }
        return ensure(count == record.cpu_count && (record.cpu_set == 0 || record.cpu_set == set),
                      Error::check_cpus, partition);
    }

    // The pieces are the plan's regions, cut, in order and without gaps.
    [[nodiscard]] Status check_pieces() const {
        std::size_t next = 0;
        for (std::uint32_t i = 0; i < plan_.partition_count(); ++i) {
            const Partition record = plan_.partition(i);
            for (const Region& region : record.regions) {
                const std::size_t first = next;
                for (std::uint64_t done = 0; done < region.bytes; ++next) {
                    const std::uint64_t gpa = region.gpa + done;
                    CAISSON_TRY(ensure(next < bound_.pieces.size() && next < first + max_pieces_per_region,
                                       Error::check_regions, i, gpa));
                    const Piece& piece = bound_.pieces[next];
                    CAISSON_TRY(ensure(piece.partition == i && piece.kind == region.kind &&
                                           piece.gpa == gpa && piece.host.bytes <= region.bytes - done,
                                       Error::check_regions, i, gpa));
                    CAISSON_TRY(check_piece(piece, region, record.root_section));
                    done += piece.host.bytes;
                }
            }
        }
        return ensure(next == bound_.pieces.size(), Error::check_regions);
    }

    // A root that is not copied is the bundle's own section, whole.
    [[nodiscard]] Status check_piece(const Piece& piece, const Region& region, std::uint32_t section) const {
        const bool in_place = piece.kind == RegionKind::root_image && !piece.copied;
        if (in_place)
            CAISSON_TRY(
                ensure(section < machine_.sections.size() && piece.host.bytes == region.bytes &&
                           piece.host.bytes == machine_.sections[section].size &&
                           piece.host.base == machine_.bundle_base + machine_.sections[section].offset,
                       Error::check_place, piece.partition, piece.host.base));
        return check_place(piece.host, piece.partition, in_place);
    }

    // Usable memory above 1 MiB, whole pages, away from what is reserved and (unless it is a root in place) from the bundle.
    [[nodiscard]] Status check_place(const memory::Run& run, std::uint32_t partition, bool in_bundle) const {
        const memory::Run bundle{machine_.bundle_base, machine_.bundle_bytes};
        const auto meets = [&run](const memory::Run& other) { return run.overlaps(other); };
        const bool right_side =
            in_bundle ? bytes::lies_within(run.base - bundle.base, run.bytes, bundle.bytes) : !meets(bundle);
        return ensure(run.bytes != 0 && (run.base | run.bytes) % base::page_size == 0 &&
                          run.base >= low_memory_end && machine_.map->contains(run.base, run.bytes) &&
                          std::ranges::none_of(machine_.reserved, meets) && right_side,
                      Error::check_place, partition, run.base);
    }

    [[nodiscard]] Status check_pool() const {
        CAISSON_TRY(ensure(bound_.table_frames >= table_frames(plan_, options_, bound_) &&
                               bound_.pool.total_frames() == pool_frames(plan_, options_, bound_) &&
                               bound_.pool.runs().size() == 1 &&
                               bound_.pool.runs()[0].end() <= machine_.pool_end,
                           Error::check_pool));
        return check_place(bound_.pool.runs()[0], no_index, false);
    }

    [[nodiscard]] Status check_retained() const {
        CAISSON_TRY(ensure(bound_.retained.bytes == plan_.header().behaviour.retained_log &&
                               bound_.retained.end() <= machine_.pool_end &&
                               !bound_.retained.overlaps(bound_.pool.runs()[0]),
                           Error::check_pool));
        return check_place(bound_.retained, no_index, false);
    }

    [[nodiscard]] Status check_overlaps() const {
        for (const Piece& piece : bound_.pieces) {
            const auto takes = [&piece](const Piece& other) {
                return &other != &piece && other.host.overlaps(piece.host);
            };
            const auto meets = [&piece](const memory::Run& run) { return run.overlaps(piece.host); };
            CAISSON_TRY(ensure(std::ranges::none_of(bound_.pieces, takes) &&
                                   std::ranges::none_of(bound_.pool.runs(), meets) && !meets(bound_.retained),
                               Error::check_overlap, piece.partition, piece.host.base));
        }
        return base::success;
    }

    // Whole, where memory may be used, over nothing that has an owner and not over each other.
    [[nodiscard]] Status check_wires() const {
        CAISSON_TRY(ensure(bound_.wires.size() == plan_.wire_count(), Error::check_regions));
        for (std::uint32_t i = 0; i < bound_.wires.size(); ++i) {
            const memory::Run& run = bound_.wires[i];
            const std::uint32_t writer = plan_.wire(i).partitions[0];
            CAISSON_TRY(ensure(run.bytes == plan_.wire(i).bytes(), Error::check_regions, writer, run.base));
            CAISSON_TRY(check_place(run, writer, false));
            const auto meets = [&run](const memory::Run& other) {
                return &other != &run && other.overlaps(run);
            };
            CAISSON_TRY(ensure(std::ranges::none_of(bound_.pieces, meets, &Piece::host) &&
                                   std::ranges::none_of(bound_.wires, meets) &&
                                   std::ranges::none_of(bound_.pool.runs(), meets) && !meets(bound_.retained),
                               Error::check_overlap, writer, run.base));
        }
        return base::success;
    }

    const Plan& plan_;
    const Machine& machine_;
    const Options& options_;
    const BoundPlan& bound_;
};

} // namespace

Status check_devices(const Machine& machine) {
    const memory::Run bundle{machine.bundle_base, machine.bundle_bytes};
    for (const memory::Run& device : machine.devices) {
        const auto meets = [&device](const memory::Run& other) { return other.overlaps(device); };
        CAISSON_TRY(ensure(bytes::lies_within(device.base, device.bytes, memory::address_limit) &&
                               std::ranges::none_of(machine.map->view(), meets) &&
                               std::ranges::none_of(machine.reserved, meets) && !meets(bundle),
                           Error::device_in_memory, no_index, device.base));
        CAISSON_TRY(ensure(std::ranges::count_if(machine.devices, meets) == 1, Error::device_overlap,
                           no_index, device.base));
    }
    return base::success;
}

Status check(const Plan& plan, const Machine& machine, const Options& options, const BoundPlan& bound) {
    return Checker{plan, machine, options, bound}.run();
}

} // namespace plan
