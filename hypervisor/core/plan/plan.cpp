// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/plan.cpp - reads the table; accepts exactly what layout() can write.
#include "hypervisor/core/plan/plan.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/behaviour_rules.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <utility>

namespace plan {
namespace {

// Where the table goes on after that many of its records.
constexpr std::uint64_t offset_after(std::uint64_t partitions, std::uint64_t loads = 0,
                                     std::uint64_t wires = 0, std::uint64_t devices = 0) {
    return sizeof(Header) + partitions * sizeof(Partition) + loads * sizeof(Load) + wires * sizeof(Wire) +
           devices * sizeof(Device);
}

// The text in a NUL-padded field, or an empty view where the padding holds something else.
std::string_view text_of(std::span<const std::byte> field) {
    const auto length = static_cast<std::size_t>(std::ranges::find(field, std::byte{0}) - field.begin());
    if (!bytes::is_zero(field.subspan(length)))
        return {};
    return {static_cast<const char*>(static_cast<const void*>(field.data())), length};
}

Status check_header(const Header& header, std::size_t size) {
    CAISSON_TRY(ensure(header.magic == magic, Error::bad_magic));
    CAISSON_TRY(ensure(header.format == format_version && header.partition_entsize == sizeof(Partition),
                       Error::unsupported_format));
    CAISSON_TRY(ensure(header.total_size == size, Error::bad_size));
    CAISSON_TRY(ensure(bytes::is_zero(bytes::of(header.reserved)), Error::reserved_not_zero));
    CAISSON_TRY(ensure(header.wire_count <= max_wires, Error::bad_wire));
    CAISSON_TRY(ensure(header.partition_count != 0, Error::no_partitions));
    CAISSON_TRY(ensure(header.partition_count <= max_partitions, Error::too_many_partitions));
    CAISSON_TRY(ensure(is_valid(header.behaviour), Error::bad_value));
    CAISSON_TRY(ensure(is_name(text_of(bytes::of(header.name))), Error::bad_name));
    CAISSON_TRY(ensure(header.device_count <= max_devices, Error::bad_device));
    return ensure(offset_after(header.partition_count, header.load_count, header.wire_count,
                               header.device_count) <= size,
                  Error::too_short);
}

// Regions ascend without overlap, RAM starts at 0 and covers the boot area, there is one root image or none.
bool regions_right(const Partition& partition) {
    const std::span regions{partition.regions};
    const std::uint32_t count = partition.region_count;
    if (count == 0 || count > max_regions || !bytes::is_zero(std::as_bytes(regions.subspan(count))))
        return false;
    std::uint64_t end = 0, ram = 0, root = 0;
    for (const Region& region : regions.first(count)) {
        const bool is_ram = region.kind == RegionKind::ram;
        const bool first_root = region.kind == RegionKind::root_image && root == 0;
        if ((!is_ram && !first_root) || region.reserved != 0 || region.bytes == 0 || region.gpa < end ||
            ((region.gpa | region.bytes) & (base::page_size - 1)) != 0 ||
            !bytes::lies_within(region.gpa, region.bytes, gpa_limit))
            return false;
        end = region.gpa + region.bytes;
        (is_ram ? ram : root) += region.bytes;
    }
    const Region& first = regions[0];
    return first.kind == RegionKind::ram && first.gpa == 0 && first.bytes >= CAISSON_GPA_BOOT_END &&
           ram == partition.memory_bytes && (root != 0) == (partition.root_section != no_section);
}

Status check_partition(const Partition& partition, std::uint32_t index) {
    CAISSON_TRY(ensure(is_name(text_of(bytes::of(partition.name))), Error::bad_name, index));
    const Behaviour& behaviour = partition.behaviour;
    CAISSON_TRY(ensure(partition.reserved == 0 && bytes::is_zero(bytes::of(behaviour.reserved)),
                       Error::reserved_not_zero, index));
    const bool cpus =
        partition.cpu_count != 0 && partition.cpu_count <= max_cpus &&
        (partition.cpu_set == 0 || std::cmp_equal(std::popcount(partition.cpu_set), partition.cpu_count));
    CAISSON_TRY(ensure(is_valid(behaviour) && cpus && partition.payload <= PayloadKind::uplink,
                       Error::bad_value, index));
    return ensure(regions_right(partition), Error::bad_regions, index);
}

bool in_ram(const Partition& partition, const Load& load) {
    return std::ranges::any_of(partition.regions, [&load](const Region& region) {
        return region.kind == RegionKind::ram && load.gpa >= region.gpa &&
               bytes::lies_within(load.gpa - region.gpa, load.bytes, region.bytes);
    });
}

// The bytes of loads that lie in the table follow one another, each from a multiple of 8 on with zeros between: `at` is
// where the next ones must start.
bool in_order(std::span<const std::byte> table, const Load& load, std::uint64_t& at) {
    if (load.section != no_section)
        return true;
    if (load.offset != at || !bytes::lies_within(at, load.bytes, table.size()))
        return false;
    const std::uint64_t end = at + load.bytes;
    at = (end + 7) & ~std::uint64_t{7};
    return at <= table.size() && bytes::is_zero(table.subspan(end, at - end));
}

Status check_loads(const Plan& plan) {
    const std::uint32_t count = plan.header().load_count;
    std::uint64_t at = offset_after(plan.partition_count(), count, plan.wire_count(), plan.device_count());
    std::uint32_t next = 0;
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i) {
        const Partition partition = plan.partition(i);
        CAISSON_TRY(ensure(partition.first_load == next && partition.load_count <= max_loads &&
                               partition.load_count <= count - next,
                           Error::bad_load, i));
        for (; next < partition.first_load + partition.load_count; ++next) {
            const Load load = plan.load(next);
            CAISSON_TRY(ensure(load.bytes != 0 && load.reserved == 0 && in_ram(partition, load) &&
                                   in_order(plan.table(), load, at),
                               Error::bad_load, i));
        }
    }
    return ensure(next == count && at == plan.table().size(), Error::bad_size);
}

// Where an end of the wire lies: whole pages in the lanes' place, behind those of the partition's wires before it.
bool end_right(const Plan& plan, const Wire& wire, std::uint32_t index, std::uint32_t end) {
    std::uint64_t from = CAISSON_GPA_LANES;
    std::uint32_t links = 0;
    for (std::uint32_t before = 0; before < index; ++before) {
        const Wire other = plan.wire(before);
        if (const std::uint32_t other_end = other.end_of(wire.partitions[end]); other_end < 2) {
            from = other.gpa[other_end] + other.bytes();
            ++links;
        }
    }
    for (const Region& region : plan.partition(wire.partitions[end]).regions)
        if (region.gpa < CAISSON_GPA_LANES_END && region.gpa + region.bytes > CAISSON_GPA_LANES)
            return false;
    return links < max_wires_of_one && wire.gpa[end] >= from && wire.gpa[end] % base::page_size == 0 &&
           bytes::lies_within(wire.gpa[end], wire.bytes(), CAISSON_GPA_LANES_END);
}

Status check_wires(const Plan& plan) {
    for (std::uint32_t i = 0; i < plan.wire_count(); ++i) {
        const Wire wire = plan.wire(i);
        const auto [first, second] = wire.partitions;
        const std::uint64_t ring = wire.lane_bytes - CAISSON_LANE_HEADER_BYTES;
        CAISSON_TRY(ensure(first < plan.partition_count() && second < plan.partition_count() &&
                               first != second && (wire.flags & ~wire_one_way) == 0 && wire.reserved == 0 &&
                               ring >= CAISSON_LANE_RING_MIN && ring <= CAISSON_LANE_RING_MAX &&
                               std::has_single_bit(ring) && end_right(plan, wire, i, 0) &&
                               end_right(plan, wire, i, 1),
                           Error::bad_wire, first));
        for (std::uint32_t before = 0; before < i; ++before)
            CAISSON_TRY(ensure(plan.wire(before).end_of(first) == 2 || plan.wire(before).end_of(second) == 2,
                               Error::bad_wire, first, 0u, 0u, second));
    }
    return base::success;
}

Status check_devices(const Plan& plan) {
    std::array<std::uint32_t, max_partitions> owned{};
    for (std::uint32_t i = 0; i < plan.device_count(); ++i) {
        const Device device = plan.device(i);
        const std::uint32_t how = device.flags & (device_by_address | device_any_card);
        CAISSON_TRY(ensure(device.partition < plan.partition_count() &&
                               (device.flags & ~all_device_flags) == 0 && device.place <= 0xffff &&
                               (how == 0 || (device.vendor | device.device) == 0) &&
                               how != (device_by_address | device_any_card) &&
                               ++owned[device.partition] <= max_devices_of_one,
                           Error::bad_device, device.partition));
    }
    return base::success;
}

} // namespace

bool is_name(std::string_view name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 31 && std::ranges::all_of(name, allowed) && name != "hv";
}

Result<Plan> Plan::parse(std::span<const std::byte> table) {
    const auto header = bytes::load<Header>(table, 0);
    if (!header)
        return base::Failure{Issue{Error::too_short}};
    CAISSON_TRY(check_header(*header, table.size()));
    const Plan plan{table, *header};
    std::uint64_t taken = 0;
    bool all_services = true;
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i) {
        const Partition partition = plan.partition(i);
        CAISSON_TRY(check_partition(partition, i));
        all_services = all_services && partition.behaviour.has(flag_service);
        for (std::uint32_t other = 0; other < i; ++other)
            CAISSON_TRY(ensure(plan.partition_name(other) != plan.partition_name(i), Error::duplicate_name, i,
                               0u, 0u, other));
        CAISSON_TRY(ensure((partition.cpu_set & taken) == 0, Error::cpus_overlap, i));
        taken |= partition.cpu_set;
    }
    CAISSON_TRY(ensure(!all_services, Error::no_partitions));
    CAISSON_TRY(ensure(plan.cpus_needed() <= max_cpus, Error::too_many_cpus));
    CAISSON_TRY(check_loads(plan));
    CAISSON_TRY(check_wires(plan));
    CAISSON_TRY(check_devices(plan));
    return plan;
}

Partition Plan::partition(std::uint32_t index) const {
    base::expects(index < header_.partition_count, "plan: partition index");
    return *bytes::load<Partition>(table_, offset_after(index));
}

std::string_view Plan::partition_name(std::uint32_t index) const {
    base::expects(index < header_.partition_count, "plan: partition index");
    return text_of(table_.subspan(offset_after(index) + offsetof(Partition, name), sizeof(Partition::name)));
}

Load Plan::load(std::uint32_t index) const {
    base::expects(index < header_.load_count, "plan: load index");
    return *bytes::load<Load>(table_, offset_after(header_.partition_count, index));
}

Wire Plan::wire(std::uint32_t index) const {
    base::expects(index < header_.wire_count, "plan: wire index");
    return *bytes::load<Wire>(table_, offset_after(header_.partition_count, header_.load_count, index));
}

Device Plan::device(std::uint32_t index) const {
    base::expects(index < header_.device_count, "plan: device index");
    return *bytes::load<Device>(
        table_, offset_after(header_.partition_count, header_.load_count, header_.wire_count, index));
}

std::uint32_t Plan::cpus_needed() const {
    std::uint32_t cpus = 0;
    for (std::uint32_t i = 0; i < partition_count(); ++i)
        cpus += partition(i).cpu_count;
    return cpus;
}

bool Plan::may_share_core(std::uint32_t one, std::uint32_t other) const {
    return one == other ||
           (partition(one).behaviour.has(flag_smt_shared) && partition(other).behaviour.has(flag_smt_shared));
}

bool Plan::needs_time() const {
    bool needed = plan::needs_time(header_.behaviour);
    for (std::uint32_t i = 0; i < partition_count(); ++i)
        needed = needed || plan::needs_time(partition(i).behaviour);
    return needed;
}

} // namespace plan
