// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/plan.cpp - reads the table; accepts exactly what layout() can write.
#include "hypervisor/core/plan/plan.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/guest_layout.hpp"
#include "hypervisor/core/plan/layout.hpp"
#include "partitions/abi/boot_page.h"

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
    if (header.flags != 0 || !bytes::is_zero(bytes::of(header.reserved)))
        return failure(Error::reserved_not_zero);
    if (header.partition_count == 0)
        return failure(Error::no_partitions);
    if (header.partition_count > max_partitions)
        return failure(Error::too_many_partitions);
    if (header.on_all_stopped > static_cast<std::uint32_t>(AllStopped::halt))
        return failure(Error::bad_value);
    if (!is_name(field_text(header.name)))
        return failure(Error::bad_name);
    if (size < sizeof(Header) + header.partition_count * sizeof(Partition))
        return failure(Error::too_short);
    return base::success;
}

// The regions must be those that guest_regions() makes of the sizes they say.
bool regions_right(const Partition& partition) {
    if (partition.region_count == 0 || partition.region_count > max_regions)
        return false;
    std::uint64_t root_bytes = 0;
    for (std::uint32_t i = 0; i < partition.region_count; ++i)
        if (partition.regions[i].kind == static_cast<std::uint32_t>(RegionKind::root_image))
            root_bytes = partition.regions[i].bytes;
    if (root_bytes > max_root_bytes || root_bytes % base::page_size != 0 ||
        (root_bytes != 0) != (partition.root_section != no_section))
        return false;
    const Regions expected = guest_regions(partition.memory_bytes, root_bytes);
    if (expected.size() != partition.region_count)
        return false;
    std::array<Region, max_regions> all{};
    for (std::size_t i = 0; i < expected.size(); ++i)
        all[i] = expected[i];
    return std::memcmp(all.data(), partition.regions.data(), sizeof(all)) == 0;
}

// Texts follow one another without holes: `at` is where the next one must start.
Status check_text(std::span<const std::byte> table, std::uint32_t index, std::uint32_t offset,
                  std::uint32_t length, std::uint64_t& at) {
    if (length == 0)
        return offset == 0 ? Status{base::success} : failure(Error::bad_text, index);
    if (offset != at || !bytes::lies_within(offset, length, table.size()))
        return failure(Error::bad_text, index);
    const std::uint64_t end = at + length;
    at = (end + 7) & ~std::uint64_t{7};
    if (!bytes::lies_within(end, at - end, table.size()) ||
        !bytes::is_zero(table.subspan(static_cast<std::size_t>(end), static_cast<std::size_t>(at - end))))
        return failure(Error::bad_text, index);
    return base::success;
}

Status check_texts(const Plan& plan, std::span<const std::byte> table) {
    std::uint64_t at = sizeof(Header) + plan.partition_count() * sizeof(Partition);
    for (std::uint32_t i = 0; i < plan.partition_count(); ++i) {
        const Partition partition = plan.partition(i);
        CAISSON_TRY(check_text(table, i, partition.command_line_offset, partition.command_line_bytes, at));
        if (plan.command_line(i).find('\0') != std::string_view::npos)
            return failure(Error::bad_text, i);
        CAISSON_TRY(check_text(table, i, partition.startup_offset, partition.startup_bytes, at));
    }
    return at == table.size() ? Status{base::success} : failure(Error::bad_size);
}

} // namespace

Status check_partition(const Partition& partition, std::uint32_t index) {
    if (!is_name(field_text(partition.name)))
        return failure(Error::bad_name, index);
    if (partition.reserved0 != 0 || !bytes::is_zero(bytes::of(partition.reserved)))
        return failure(Error::reserved_not_zero, index);
    if (partition.payload > static_cast<std::uint32_t>(PayloadKind::pvh) ||
        (partition.flags & ~flag_console_serial) != 0 ||
        partition.restart > static_cast<std::uint32_t>(Restart::on_failure) ||
        (partition.restart_max != 0 && partition.restart != static_cast<std::uint32_t>(Restart::on_failure)))
        return failure(Error::bad_value, index);
    if (partition.cpu_count == 0 || partition.cpu_count > max_cpus ||
        (partition.cpu_set != 0 &&
         static_cast<std::uint32_t>(std::popcount(partition.cpu_set)) != partition.cpu_count))
        return failure(Error::bad_value, index);
    if (partition.memory_bytes % base::page_size != 0 || partition.memory_bytes < min_memory ||
        partition.memory_bytes > max_memory)
        return failure(Error::bad_value, index);
    if (partition.kernel_section == no_section ||
        (partition.payload == static_cast<std::uint32_t>(PayloadKind::unikernel) &&
         partition.root_section == no_section))
        return failure(Error::bad_value, index);
    if (partition.command_line_bytes > max_command_line || partition.startup_bytes > CAISSON_STARTUP_MAX)
        return failure(Error::bad_text, index);
    return regions_right(partition) ? Status{base::success} : failure(Error::bad_regions, index);
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
    CAISSON_TRY(check_texts(plan, table));
    return plan;
}

std::string_view Plan::name() const {
    const auto* text =
        static_cast<const char*>(static_cast<const void*>(table_.data() + offsetof(Header, name)));
    return {text, field_text(header_.name).size()};
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

std::string_view Plan::command_line(std::uint32_t index) const {
    const Partition record = partition(index);
    const auto text = table_.subspan(record.command_line_offset, record.command_line_bytes);
    return {static_cast<const char*>(static_cast<const void*>(text.data())), text.size()};
}

std::span<const std::byte> Plan::startup(std::uint32_t index) const {
    const Partition record = partition(index);
    return table_.subspan(record.startup_offset, record.startup_bytes);
}

std::uint32_t Plan::cpus_needed() const {
    std::uint32_t cpus = 0;
    for (std::uint32_t i = 0; i < partition_count(); ++i)
        cpus += partition(i).cpu_count;
    return cpus;
}

std::uint64_t Plan::root_bytes(std::uint32_t index) const {
    const Partition record = partition(index);
    for (std::uint32_t i = 0; i < record.region_count; ++i)
        if (record.regions[i].kind == static_cast<std::uint32_t>(RegionKind::root_image))
            return record.regions[i].bytes;
    return 0;
}

} // namespace plan
