// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/layout.cpp - checks what was asked for, then writes the table.
//
// The table: Header, the partition records, then for each partition its command line and its startup record,
// each starting at a multiple of 8 and padded with zeros.
#include "hypervisor/core/plan/layout.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/guest_layout.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace plan {

namespace {

constexpr std::uint64_t text_alignment = 8;

constexpr std::uint64_t padded(std::uint64_t bytes) {
    return (bytes + text_alignment - 1) & ~(text_alignment - 1);
}

base::Failure<Issue> failure(Error error, std::uint32_t partition = no_index, std::uint64_t needed = 0,
                             std::uint64_t available = 0, std::uint32_t other = no_index) {
    return {Issue{error, partition, other, needed, available}};
}

std::uint32_t cpu_count(const PartitionRequest& request) {
    return request.cpu_set != 0 ? static_cast<std::uint32_t>(std::popcount(request.cpu_set)) : request.cpus;
}

Status check_cpus(const Request& request) {
    const std::uint32_t limit =
        request.machine_cpus == 0 ? max_cpus : std::min(request.machine_cpus, max_cpus);
    std::uint64_t total = 0;
    std::uint64_t taken = 0;
    for (std::uint32_t i = 0; i < request.partitions.size(); ++i) {
        const PartitionRequest& partition = request.partitions[i];
        const std::uint32_t count = cpu_count(partition);
        if (count == 0)
            return failure(Error::no_cpus, i);
        if (partition.cpu_set != 0 && partition.cpus != 0 && partition.cpus != count)
            return failure(Error::cpu_count_differs, i, partition.cpus, count);
        if (partition.cpu_set != 0) {
            const auto highest = static_cast<std::uint32_t>(std::bit_width(partition.cpu_set)) - 1;
            if (highest >= limit)
                return failure(Error::cpu_not_there, i, highest, limit);
        }
        if ((partition.cpu_set & taken) != 0) {
            const std::uint64_t shared = partition.cpu_set & taken;
            std::uint32_t other = 0;
            while ((request.partitions[other].cpu_set & shared) == 0)
                ++other;
            const std::uint64_t both = shared & request.partitions[other].cpu_set;
            return failure(Error::cpus_overlap, i, static_cast<std::uint64_t>(std::countr_zero(both)), 0,
                           other);
        }
        taken |= partition.cpu_set;
        total += count;
    }
    if (total > limit)
        return failure(Error::too_many_cpus, no_index, total, limit);
    return base::success;
}

Status check_names(const Request& request) {
    if (!is_name(request.name))
        return failure(Error::bad_name);
    for (std::uint32_t i = 0; i < request.partitions.size(); ++i) {
        if (!is_name(request.partitions[i].name))
            return failure(Error::bad_name, i);
        for (std::uint32_t other = 0; other < i; ++other)
            if (request.partitions[other].name == request.partitions[i].name)
                return failure(Error::duplicate_name, i, 0, 0, other);
    }
    return base::success;
}

Status check_kernel(const PartitionRequest& request, std::uint32_t index) {
    if (request.kernel_section == no_section || request.kernel_end <= request.kernel_lowest)
        return failure(Error::bad_value, index);
    if (request.kernel_lowest < CAISSON_GPA_BOOT_END && request.kernel_end > CAISSON_GPA_ACPI)
        return failure(Error::kernel_in_boot_area, index, request.kernel_lowest);
    if (request.kernel_end > CAISSON_GPA_RAM_LOW_END)
        return failure(Error::kernel_too_high, index, request.kernel_end, CAISSON_GPA_RAM_LOW_END);
    return base::success;
}

Status check_memory(const PartitionRequest& request, std::uint32_t index) {
    if (request.memory_bytes % base::page_size != 0)
        return failure(Error::memory_misaligned, index, request.memory_bytes);
    if (request.memory_bytes > max_memory || request.module_bytes > CAISSON_GPA_RAM_LOW_END)
        return failure(Error::memory_too_large, index, request.memory_bytes, max_memory);
    const std::uint64_t smallest = smallest_memory(request.payload, request.kernel_end, request.module_bytes);
    // The module must fit below 4 GiB behind the kernel, however much memory there is above.
    if (low_memory(request.memory_bytes) < smallest)
        return failure(Error::memory_too_small, index, smallest, request.memory_bytes);
    return base::success;
}

Status check_sections(const PartitionRequest& request, std::uint32_t index) {
    const bool root = request.root_section != no_section;
    const bool module = request.module_section != no_section;
    if (root != (request.root_bytes != 0) || module != (request.module_bytes != 0))
        return failure(Error::bad_value, index);
    if (request.payload == PayloadKind::unikernel && !root)
        return failure(Error::root_missing, index);
    if (request.root_bytes % base::page_size != 0)
        return failure(Error::root_misaligned, index, request.root_bytes);
    if (request.root_bytes > max_root_bytes)
        return failure(Error::root_too_large, index, request.root_bytes, max_root_bytes);
    if (request.command_line.size() > max_command_line)
        return failure(Error::command_line_too_long, index, request.command_line.size(), max_command_line);
    if (request.command_line.find('\0') != std::string_view::npos)
        return failure(Error::bad_text, index);
    if (request.startup.size() > CAISSON_STARTUP_MAX)
        return failure(Error::startup_too_long, index, request.startup.size(), CAISSON_STARTUP_MAX);
    return base::success;
}

Status check(const Request& request) {
    if (request.partitions.empty())
        return failure(Error::no_partitions);
    if (request.partitions.size() > max_partitions)
        return failure(Error::too_many_partitions, no_index, request.partitions.size(), max_partitions);
    CAISSON_TRY(check_names(request));
    CAISSON_TRY(check_cpus(request));
    std::uint64_t memory = 0;
    for (std::uint32_t i = 0; i < request.partitions.size(); ++i) {
        const PartitionRequest& partition = request.partitions[i];
        CAISSON_TRY(check_kernel(partition, i));
        CAISSON_TRY(check_sections(partition, i));
        CAISSON_TRY(check_memory(partition, i));
        memory += partition.memory_bytes;
    }
    if (request.machine_memory != 0 && memory > request.machine_memory)
        return failure(Error::machine_memory_too_small, no_index, memory, request.machine_memory);
    return base::success;
}

template <std::size_t Size> void set_name(std::array<char, Size>& field, std::string_view name) {
    std::copy(name.begin(), name.end(), field.begin());
}

Header header_of(const Request& request) {
    Header header{};
    header.magic = magic;
    header.format = format_version;
    header.total_size = static_cast<std::uint32_t>(table_size(request));
    header.partition_count = static_cast<std::uint32_t>(request.partitions.size());
    header.partition_entsize = sizeof(Partition);
    header.on_all_stopped = static_cast<std::uint32_t>(request.on_all_stopped);
    header.machine_cpus = request.machine_cpus;
    header.machine_memory = request.machine_memory;
    header.audit_key = request.audit_key;
    set_name(header.name, request.name);
    return header;
}

Partition record_of(const PartitionRequest& request) {
    Partition record{};
    set_name(record.name, request.name);
    record.payload = static_cast<std::uint32_t>(request.payload);
    record.flags = request.console_serial ? flag_console_serial : 0;
    record.cpu_count = cpu_count(request);
    record.restart = static_cast<std::uint32_t>(request.restart);
    record.restart_max = request.restart == Restart::on_failure ? request.restart_max : 0;
    record.cpu_set = request.cpu_set;
    record.memory_bytes = request.memory_bytes;
    const Regions regions = guest_regions(request.memory_bytes, request.root_bytes);
    record.region_count = static_cast<std::uint32_t>(regions.size());
    std::copy(regions.begin(), regions.end(), record.regions.begin());
    record.kernel_section = request.kernel_section;
    record.root_section = request.root_section;
    record.module_section = request.module_section;
    return record;
}

// Puts `text` at `at`, advances it, and returns the text's offset (0 when there is none).
std::uint32_t put_text(std::span<std::byte> out, std::uint64_t& at, std::span<const std::byte> text) {
    if (text.empty())
        return 0;
    std::memcpy(out.data() + at, text.data(), text.size());
    const auto offset = static_cast<std::uint32_t>(at);
    at += padded(text.size());
    return offset;
}

} // namespace

bool is_name(std::string_view name) {
    const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
    return !name.empty() && name.size() <= 31 && std::all_of(name.begin(), name.end(), allowed) &&
           name != "hv";
}

std::uint64_t table_size(const Request& request) {
    std::uint64_t size = sizeof(Header) + request.partitions.size() * sizeof(Partition);
    for (const PartitionRequest& partition : request.partitions)
        size += padded(partition.command_line.size()) + padded(partition.startup.size());
    return size;
}

Result<std::size_t> layout(const Request& request, std::span<std::byte> out) {
    CAISSON_TRY(check(request));
    const std::uint64_t size = table_size(request);
    if (size > out.size() || size > 0xFFFFFFFF)
        return failure(Error::table_full, no_index, size, out.size());
    const auto table = out.first(static_cast<std::size_t>(size));
    std::fill(table.begin(), table.end(), std::byte{0});
    bool stored = bytes::store(table, 0, header_of(request));
    std::uint64_t at = sizeof(Header) + request.partitions.size() * sizeof(Partition);
    for (std::size_t i = 0; i < request.partitions.size(); ++i) {
        const PartitionRequest& partition = request.partitions[i];
        Partition record = record_of(partition);
        record.command_line_bytes = static_cast<std::uint32_t>(partition.command_line.size());
        record.command_line_offset = put_text(table, at, std::as_bytes(std::span{partition.command_line}));
        record.startup_bytes = static_cast<std::uint32_t>(partition.startup.size());
        record.startup_offset = put_text(table, at, partition.startup);
        stored = stored && bytes::store(table, sizeof(Header) + i * sizeof(Partition), record);
    }
    base::expects(stored && at == size, "plan: table size");
    return table.size();
}

} // namespace plan
