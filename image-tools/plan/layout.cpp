// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/layout.cpp - checks what was asked for, then writes the table.
//
// A partition's loads: its kernel's segments, its module, its boot area.
#include "image-tools/plan/layout.hpp"

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/reader.hpp"
#include "hypervisor/core/plan/behaviour_rules.hpp"
#include "image-tools/plan/boot_area.hpp"
#include "image-tools/plan/guest_layout.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace plan {

namespace {

using Status = base::Status<RequestIssue>;

constexpr std::uint64_t text_alignment = 8;

base::Failure<RequestIssue> failure(RequestError error, std::uint32_t partition = no_index,
                                    std::uint64_t needed = 0, std::uint64_t available = 0,
                                    std::uint32_t other = no_index) {
    return {RequestIssue{error, partition, other, needed, available}};
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
            return failure(RequestError::no_cpus, i);
        if (partition.cpu_set != 0 && partition.cpus != 0 && partition.cpus != count)
            return failure(RequestError::cpu_count_differs, i, partition.cpus, count);
        if (partition.cpu_set != 0) {
            const auto highest = static_cast<std::uint32_t>(std::bit_width(partition.cpu_set)) - 1;
            if (highest >= limit)
                return failure(RequestError::cpu_not_there, i, highest, limit);
        }
        if ((partition.cpu_set & taken) != 0) {
            const std::uint64_t shared = partition.cpu_set & taken;
            std::uint32_t other = 0;
            while ((request.partitions[other].cpu_set & shared) == 0)
                ++other;
            const std::uint64_t both = shared & request.partitions[other].cpu_set;
            return failure(RequestError::cpus_overlap, i, static_cast<std::uint64_t>(std::countr_zero(both)),
                           0, other);
        }
        taken |= partition.cpu_set;
        total += count;
    }
    if (total > limit)
        return failure(RequestError::too_many_cpus, no_index, total, limit);
    return base::success;
}

Status check_names(const Request& request) {
    if (!is_name(request.name))
        return failure(RequestError::bad_name);
    for (std::uint32_t i = 0; i < request.partitions.size(); ++i) {
        if (!is_name(request.partitions[i].name))
            return failure(RequestError::bad_name, i);
        for (std::uint32_t other = 0; other < i; ++other)
            if (request.partitions[other].name == request.partitions[i].name)
                return failure(RequestError::duplicate_name, i, 0, 0, other);
    }
    return base::success;
}

Status check_kernel(const PartitionRequest& request, std::uint32_t index) {
    if (request.kernel_section == no_section || request.kernel.end <= request.kernel.lowest)
        return failure(RequestError::bad_value, index);
    if (request.kernel.lowest < CAISSON_GPA_BOOT_END && request.kernel.end > CAISSON_GPA_ACPI)
        return failure(RequestError::kernel_in_boot_area, index, request.kernel.lowest);
    if (request.kernel.end > CAISSON_GPA_RAM_LOW_END)
        return failure(RequestError::kernel_too_high, index, request.kernel.end, CAISSON_GPA_RAM_LOW_END);
    return base::success;
}

Status check_memory(const PartitionRequest& request, std::uint32_t index) {
    if (request.memory_bytes % base::page_size != 0)
        return failure(RequestError::memory_misaligned, index, request.memory_bytes);
    if (request.memory_bytes > max_memory || request.module_bytes > CAISSON_GPA_RAM_LOW_END)
        return failure(RequestError::memory_too_large, index, request.memory_bytes, max_memory);
    const std::uint64_t smallest = smallest_memory(request.payload, request.kernel.end, request.module_bytes);
    // The module must fit below 4 GiB after the kernel, however much memory there is above.
    if (low_memory(request.memory_bytes) < smallest)
        return failure(RequestError::memory_too_small, index, smallest, request.memory_bytes);
    return base::success;
}

Status check_sections(const PartitionRequest& request, std::uint32_t index) {
    const bool root = request.root_section != no_section;
    const bool module = request.module_section != no_section;
    if (root != (request.root_bytes != 0) || module != (request.module_bytes != 0))
        return failure(RequestError::bad_value, index);
    if (request.payload == PayloadKind::unikernel && !root)
        return failure(RequestError::root_missing, index);
    if (request.root_bytes % base::page_size != 0)
        return failure(RequestError::root_misaligned, index, request.root_bytes);
    if (request.root_bytes > max_root_bytes)
        return failure(RequestError::root_too_large, index, request.root_bytes, max_root_bytes);
    if (request.command_line.size() > max_command_line)
        return failure(RequestError::command_line_too_long, index, request.command_line.size(),
                       max_command_line);
    if (request.command_line.find('\0') != std::string_view::npos)
        return failure(RequestError::bad_text, index);
    if (request.startup.size() > CAISSON_STARTUP_MAX)
        return failure(RequestError::startup_too_long, index, request.startup.size(), CAISSON_STARTUP_MAX);
    return base::success;
}

Status check_wires(const Request& request) {
    if (request.wires.size() > max_wires)
        return failure(RequestError::too_many_wires, no_index, request.wires.size(), max_wires);
    std::vector<std::uint32_t> ends(request.partitions.size(), 0);
    for (std::size_t i = 0; i < request.wires.size(); ++i) {
        const auto [from, to, one_way] = request.wires[i];
        if (from >= ends.size() || to >= ends.size() || from == to)
            return failure(RequestError::bad_value);
        for (const WireRequest& before : request.wires.first(i))
            if ((before.from == from && before.to == to) || (before.from == to && before.to == from))
                return failure(RequestError::bad_value, from);
        for (const std::uint32_t end : {from, to})
            if (++ends[end] > max_wires_of_one)
                return failure(RequestError::too_many_wires, end, ends[end], max_wires_of_one);
    }
    return base::success;
}

Status check_devices(const Request& request) {
    if (request.devices.size() > max_devices)
        return failure(RequestError::too_many_devices, no_index, request.devices.size(), max_devices);
    std::vector<std::uint32_t> owned(request.partitions.size(), 0);
    for (const DeviceRequest& device : request.devices) {
        if (device.partition >= owned.size() || device.place > 0xffff)
            return failure(RequestError::bad_value);
        if (++owned[device.partition] > max_devices_of_one)
            return failure(RequestError::too_many_devices, device.partition, owned[device.partition],
                           max_devices_of_one);
    }
    return base::success;
}

Status check(const Request& request) {
    if (std::ranges::all_of(request.partitions,
                            [](const PartitionRequest& one) { return one.behaviour.has(flag_service); }))
        return failure(RequestError::no_partitions);
    if (request.partitions.size() > max_partitions)
        return failure(RequestError::too_many_partitions, no_index, request.partitions.size(),
                       max_partitions);
    CAISSON_TRY(check_names(request));
    CAISSON_TRY(check_cpus(request));
    CAISSON_TRY(check_wires(request));
    CAISSON_TRY(check_devices(request));
    std::uint64_t memory = 0;
    for (std::uint32_t i = 0; i < request.partitions.size(); ++i) {
        const PartitionRequest& partition = request.partitions[i];
        CAISSON_TRY(check_kernel(partition, i));
        CAISSON_TRY(check_sections(partition, i));
        CAISSON_TRY(check_memory(partition, i));
        if (!::plan::is_valid(partition.behaviour))
            return failure(RequestError::bad_value, i);
        memory += partition.memory_bytes;
    }
    if (request.machine_memory != 0 && memory > request.machine_memory)
        return failure(RequestError::machine_memory_too_small, no_index, memory, request.machine_memory);
    return base::success;
}

// The wires' places in both partitions, each partition's one after the other.
std::vector<Wire> wires_of(const Request& request) {
    constexpr std::uint64_t lane_bytes = CAISSON_LANE_HEADER_BYTES + default_ring_bytes;
    static_assert(max_wires_of_one * 2 * lane_bytes <= CAISSON_GPA_LANES_END - CAISSON_GPA_LANES);
    std::vector<std::uint64_t> next(request.partitions.size(), CAISSON_GPA_LANES);
    std::vector<Wire> wires;
    for (const WireRequest& wish : request.wires) {
        Wire wire{{wish.from, wish.to},
                  wish.one_way ? wire_one_way : 0,
                  0,
                  lane_bytes,
                  {next[wish.from], next[wish.to]}};
        next[wish.from] += wire.bytes();
        next[wish.to] += wire.bytes();
        wires.push_back(wire);
    }
    return wires;
}

template <std::size_t Size> void set_name(std::array<char, Size>& field, std::string_view name) {
    std::copy(name.begin(), name.end(), field.begin());
}

Header header_of(const Request& request) {
    Header header{};
    header.magic = magic;
    header.format = format_version;
    header.partition_count = static_cast<std::uint32_t>(request.partitions.size());
    header.partition_entsize = sizeof(Partition);
    header.behaviour = request.behaviour;
    header.machine_cpus = request.machine_cpus;
    header.machine_memory = request.machine_memory;
    header.audit_key = request.audit_key;
    set_name(header.name, request.name);
    return header;
}

Partition record_of(const PartitionRequest& request) {
    Partition record{};
    set_name(record.name, request.name);
    record.payload = request.payload;
    record.cpu_count = cpu_count(request);
    record.behaviour = request.behaviour;
    record.cpu_set = request.cpu_set;
    record.memory_bytes = request.memory_bytes;
    const Regions regions = guest_regions(request.memory_bytes, request.root_bytes);
    record.region_count = static_cast<std::uint32_t>(regions.size());
    std::copy(regions.begin(), regions.end(), record.regions.begin());
    record.root_section = request.root_section;
    record.entry = request.kernel.entry;
    return record;
}

// The loads of one partition; bytes of their own are appended to `data`, offsets count from its start.
std::vector<Load> loads_of(const Request& all, std::span<const Wire> wires, std::uint32_t index,
                           std::vector<std::byte>& data) {
    const PartitionRequest& request = all.partitions[index];
    std::vector<Load> loads;
    for (const elf::Segment& segment : request.kernel.segments)
        if (segment.file_size != 0)
            loads.push_back({segment.physical_address, segment.file_size, segment.file_offset,
                             request.kernel_section, 0});
    if (request.module_bytes != 0)
        loads.push_back({module_gpa(request.memory_bytes, request.module_bytes), request.module_bytes, 0,
                         request.module_section, 0});
    for (const BootPiece& piece : boot_area(request, index, links_of(all, wires, index))) {
        loads.push_back({piece.gpa, piece.bytes.size(), data.size(), no_section, 0});
        data.insert(data.end(), piece.bytes.begin(), piece.bytes.end());
        data.resize((data.size() + text_alignment - 1) / text_alignment * text_alignment);
    }
    return loads;
}

template <typename T> void append(std::vector<std::byte>& out, const T& value) {
    const auto bytes = bytes::of(value);
    out.insert(out.end(), bytes.begin(), bytes.end());
}

} // namespace

base::Result<std::vector<std::byte>, RequestIssue> layout(const Request& request) {
    CAISSON_TRY(check(request));
    const std::vector<Wire> wires = wires_of(request);
    std::vector<Partition> records;
    std::vector<Load> loads;
    std::vector<std::byte> data;
    for (std::uint32_t i = 0; i < request.partitions.size(); ++i) {
        const std::vector<Load> own = loads_of(request, wires, i, data);
        if (own.size() > max_loads)
            return failure(RequestError::too_many_loads, i, own.size(), max_loads);
        records.push_back(record_of(request.partitions[i]));
        records.back().first_load = static_cast<std::uint32_t>(loads.size());
        records.back().load_count = static_cast<std::uint32_t>(own.size());
        loads.insert(loads.end(), own.begin(), own.end());
    }
    Header header = header_of(request);
    header.load_count = static_cast<std::uint32_t>(loads.size());
    header.wire_count = static_cast<std::uint32_t>(wires.size());
    header.device_count = static_cast<std::uint32_t>(request.devices.size());
    const std::size_t data_at = sizeof(Header) + records.size() * sizeof(Partition) +
                                loads.size() * sizeof(Load) + wires.size() * sizeof(Wire) +
                                request.devices.size() * sizeof(Device);
    header.total_size = static_cast<std::uint32_t>(data_at + data.size());
    std::vector<std::byte> table;
    append(table, header);
    for (const Partition& record : records)
        append(table, record);
    for (Load& load : loads) {
        load.offset += load.section == no_section ? data_at : 0;
        append(table, load);
    }
    for (const Wire& wire : wires)
        append(table, wire);
    for (const DeviceRequest& wish : request.devices)
        append(table, Device{wish.partition, wish.vendor, wish.device, wish.place,
                             (wish.by_address ? device_by_address : 0) |
                                 (wish.firmware_memory ? device_keeps_firmware_memory : 0) |
                                 (wish.any_card ? device_any_card : 0)});
    table.insert(table.end(), data.begin(), data.end());
    return table;
}

} // namespace plan
