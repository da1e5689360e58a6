// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/plan.cpp - reads the table; accepts exactly what layout() can write.
#include "hypervisor/core/plan/plan.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace plan {

namespace {

base::Failure<Issue> failure(Error error, std::uint32_t partition = no_index,
                             std::uint32_t other = no_index) {
    return {Issue{error, partition, other, 0, 0}};
}

// The text in a NUL-padded field, or an empty view where the padding holds something else.
std::string_view field_text(const std::array<char, 32>& field) {
    std::size_t length = 0;
    while (length < field.size() && field[length] != '\0')
        ++length;
    if (length == field.size() || !bytes::is_zero(std::as_bytes(std::span{field}.subspan(length))))
        return {};
    return {field.data(), length};
}

Status check_header(const Header& header, std::size_t size) {
    if (header.magic != magic)
        return failure(Error::bad_magic);
    if (header.format != format_version || header.partition_entsize != sizeof(Partition))
        return failure(Error::unsupported_format);
    if (header.total_size != size)
        return failure(Error::bad_size);
    if (!bytes::is_zero(bytes::of(header.reserved)))
        return failure(Error::reserved_not_zero);
    if (header.partition_count == 0)
        return failure(Error::no_partitions);
    if (header.partition_count > max_partitions)
        return failure(Error::too_many_partitions);
    if (header.on_all_stopped > static_cast<std::uint32_t>(AllStopped::halt) ||
        header.on_panic > static_cast<std::uint32_t>(OnPanic::poweroff))
        return failure(Error::bad_value);
    if (!is_name(field_text(header.name)))
        return failure(Error::bad_name);
    if (size < sizeof(Header) + header.partition_count * sizeof(Partition) + header.load_count * sizeof(Load))
        return failure(Error::too_short);
    return base::success;
}

bool is_ram(const Region& region) {
    return region.kind == static_cast<std::uint32_t>(RegionKind::ram);
}

// Regions ascend without overlap, RAM starts at 0 and covers the boot area, there is one root image or none.
bool regions_right(const Partition& partition) {
    if (partition.region_count == 0 || partition.region_count > max_regions)
        return false;
    std::uint64_t end = 0, ram = 0, root = 0;
    for (std::uint32_t i = 0; i < max_regions; ++i) {
        const Region& region = partition.regions[i];
        if (i >= partition.region_count) {
            if (!bytes::is_zero(bytes::of(region)))
                return false;
            continue;
        }
        const bool second_root =
            region.kind != static_cast<std::uint32_t>(RegionKind::root_image) || root != 0;
        if ((!is_ram(region) && second_root) || region.reserved != 0 || region.bytes == 0 ||
            region.gpa < end || ((region.gpa | region.bytes) & (base::page_size - 1)) != 0 ||
            !bytes::lies_within(region.gpa, region.bytes, gpa_limit))
            return false;
        end = region.gpa + region.bytes;
        (is_ram(region) ? ram : root) += region.bytes;
    }
    const Region& first = partition.regions[0];
    return is_ram(first) && first.gpa == 0 && first.bytes >= CAISSON_GPA_BOOT_END &&
           ram == partition.memory_bytes && (root != 0) == (partition.root_section != no_section);
}

bool in_ram(const Partition& partition, const Load& load) {
    return std::ranges::any_of(partition.regions, [&load](const Region& region) {
        return is_ram(region) && load.gpa >= region.gpa &&
               bytes::lies_within(load.gpa - region.gpa, load.bytes, region.bytes);
    });
}

// The bytes of loads that lie in the table follow one another without holes: `at` is where the next ones must start.
Status check_load(std::span<const std::byte> table, const Load& load, std::uint32_t partition,
                  std::uint64_t& at) {
    if (load.section != no_section)
        return base::success;
    const std::uint64_t next = (at + load.bytes + 7) & ~std::uint64_t{7};
    if (load.offset != at || !bytes::lies_within(at, load.bytes, table.size()) || next > table.size() ||
        !bytes::is_zero(table.first(next).subspan(at + load.bytes)))
        return failure(Error::bad_load, partition);
    at = next;
    return base::success;
}

Status check_loads(const Plan& plan) {
    const Header& header = plan.header();
    std::uint64_t at =
        sizeof(Header) + header.partition_count * sizeof(Partition) + header.load_count * sizeof(Load);
    std::uint32_t next = 0;
    for (std::uint32_t i = 0; i < header.partition_count; ++i) {
        const Partition partition = plan.partition(i);
        if (partition.first_load != next || partition.load_count > max_loads ||
            partition.load_count > header.load_count - next)
            return failure(Error::bad_load, i);
        for (const std::uint32_t end = next + partition.load_count; next < end; ++next) {
            const Load load = plan.load(next);
            if (load.bytes == 0 || load.reserved != 0 || !in_ram(partition, load))
                return failure(Error::bad_load, i);
            CAISSON_TRY(check_load(plan.table(), load, i, at));
        }
    }
    return next == header.load_count && at == plan.table().size() ? Status{base::success}
                                                                  : failure(Error::bad_size);
}

// One field rule after another for a partition record alone.
Status check_partition(const Partition& partition, std::uint32_t index) {
    if (!is_name(field_text(partition.name)))
        return failure(Error::bad_name, index);
    if (!bytes::is_zero(bytes::of(partition.reserved0)) || !bytes::is_zero(bytes::of(partition.reserved)))
        return failure(Error::reserved_not_zero, index);
    if (partition.payload > static_cast<std::uint32_t>(PayloadKind::pvh) ||
        (partition.flags & ~all_flags) != 0 ||
        partition.restart > static_cast<std::uint32_t>(Restart::on_failure) ||
        (partition.restart_max != 0 && partition.restart != static_cast<std::uint32_t>(Restart::on_failure)))
        return failure(Error::bad_value, index);
    if (partition.restart_delay_ms > max_restart_delay_ms ||
        (partition.watchdog_ms != 0 &&
         (partition.watchdog_ms < min_watchdog_ms || partition.watchdog_ms > max_watchdog_ms)))
        return failure(Error::bad_value, index);
    if (partition.cpu_count == 0 || partition.cpu_count > max_cpus ||
        (partition.cpu_set != 0 &&
         static_cast<std::uint32_t>(std::popcount(partition.cpu_set)) != partition.cpu_count))
        return failure(Error::bad_value, index);
    return regions_right(partition) ? Status{base::success} : failure(Error::bad_regions, index);
}

} // namespace

bool is_name(std::string_view name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 31 && std::ranges::all_of(name, allowed) && name != "hv";
}

Result<Plan> Plan::parse(std::span<const std::byte> table) {
    const auto header = bytes::load<Header>(table, 0);
    if (!header)
        return failure(Error::too_short);
    CAISSON_TRY(check_header(*header, table.size()));
    const Plan plan{table, *header};
    std::uint64_t cpus = 0;
    std::uint64_t taken = 0;
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i) {
        const Partition partition = plan.partition(i);
        CAISSON_TRY(check_partition(partition, i));
        for (std::uint32_t other = 0; other < i; ++other)
            if (plan.partition_name(other) == plan.partition_name(i))
                return failure(Error::duplicate_name, i, other);
        if ((partition.cpu_set & taken) != 0)
            return failure(Error::cpus_overlap, i);
        taken |= partition.cpu_set;
        cpus += partition.cpu_count;
    }
    if (cpus > max_cpus)
        return failure(Error::too_many_cpus);
    CAISSON_TRY(check_loads(plan));
    return plan;
}

Partition Plan::partition(std::uint32_t index) const {
    base::expects(index < header_.partition_count, "plan: partition index");
    Partition partition;
    std::memcpy(&partition, table_.data() + sizeof(Header) + std::size_t{index} * sizeof(Partition),
                sizeof(partition));
    return partition;
}

std::string_view Plan::partition_name(std::uint32_t index) const {
    const std::size_t size = field_text(partition(index).name).size();
    const std::size_t offset =
        sizeof(Header) + std::size_t{index} * sizeof(Partition) + offsetof(Partition, name);
    return {static_cast<const char*>(static_cast<const void*>(table_.data() + offset)), size};
}

Load Plan::load(std::uint32_t index) const {
    base::expects(index < header_.load_count, "plan: load index");
    Load load;
    std::memcpy(&load,
                table_.data() + sizeof(Header) + header_.partition_count * sizeof(Partition) +
                    index * sizeof(Load),
                sizeof(load));
    return load;
}

std::uint32_t Plan::cpus_needed() const {
    std::uint32_t cpus = 0;
    for (std::uint32_t i = 0; i < partition_count(); ++i)
        cpus += partition(i).cpu_count;
    return cpus;
}

bool Plan::needs_time() const {
    bool needed = on_panic() == OnPanic::reboot;
    for (std::uint32_t i = 0; i < partition_count(); ++i) {
        const Partition record = partition(i);
        const bool restarts = record.restart != static_cast<std::uint32_t>(Restart::no);
        needed = needed || record.watchdog_ms != 0 || (restarts && record.restart_delay_ms != 0);
    }
    return needed;
}

std::uint64_t Plan::root_bytes(std::uint32_t index) const {
    const Partition record = partition(index);
    for (std::uint32_t i = 0; i < record.region_count; ++i)
        if (record.regions[i].kind == static_cast<std::uint32_t>(RegionKind::root_image))
            return record.regions[i].bytes;
    return 0;
}

} // namespace plan
