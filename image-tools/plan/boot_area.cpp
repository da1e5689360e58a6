// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/boot_area.cpp
#include "image-tools/plan/boot_area.hpp"

#include "image-tools/plan/guest_layout.hpp"
#include "image-tools/plan/guest_tables.hpp"
#include "image-tools/plan/start_info.hpp"
#include "partitions/abi/boot_page.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace plan {
namespace {

constexpr std::size_t page = base::page_size;

pvh::GuestRange root_of(const Regions& regions) {
    for (const Region& region : regions)
        if (region.kind == RegionKind::root_image)
            return {region.gpa, region.bytes};
    return {};
}

pvh::StartInput start_input(const PartitionRequest& request, const Regions& regions,
                            std::vector<pvh::GuestRange>& ram, pvh::GuestRange& module) {
    for (const Region& region : regions)
        if (region.kind == RegionKind::ram)
            ram.push_back({region.gpa, region.bytes});
    if (request.payload != PayloadKind::pvh)
        module = {CAISSON_GPA_BOOT_PAGE, page + request.startup.size()};
    else if (request.module_bytes != 0)
        module = {module_gpa(request.memory_bytes, request.module_bytes), request.module_bytes};
    return {.ram = ram,
            .root = root_of(regions),
            .modules = std::span{&module, module.bytes > 0 ? std::size_t{1} : std::size_t{0}},
            .command_line = request.command_line,
            .rsdp = CAISSON_GPA_ACPI};
}

} // namespace

std::vector<caisson_link> links_of(const Request& request, std::span<const Wire> wires, std::uint32_t index) {
    std::vector<caisson_link> links;
    for (const Wire& wire : wires) {
        const std::uint32_t end = wire.end_of(index);
        if (end > 1)
            continue;
        const auto lane = [&](std::uint32_t which) {
            return which < wire.lanes() ? wire.gpa[end] + which * wire.lane_bytes : 0;
        };
        caisson_link link{};
        link.send_gpa = lane(end);
        link.receive_gpa = lane(1 - end);
        link.lane_bytes = static_cast<std::uint32_t>(wire.lane_bytes);
        const std::string_view peer = request.partitions[wire.partitions[1 - end]].name;
        std::memcpy(link.peer, peer.data(), std::min(peer.size(), sizeof link.peer - 1));
        links.push_back(link);
    }
    return links;
}

std::vector<BootPiece> boot_area(const PartitionRequest& request, std::uint32_t index,
                                 std::span<const caisson_link> links) {
    std::vector<BootPiece> out;
    const auto add = [&out](std::uint64_t gpa, std::span<const std::byte> bytes) {
        while (!bytes.empty() && bytes.back() == std::byte{0})
            bytes = bytes.first(bytes.size() - 1);
        if (!bytes.empty())
            out.push_back({gpa, {bytes.begin(), bytes.end()}});
    };
    const Regions regions = guest_regions(request.memory_bytes, request.root_bytes);
    const std::uint32_t cpus =
        request.cpu_set != 0 ? static_cast<std::uint32_t>(std::popcount(request.cpu_set)) : request.cpus;

    std::array<std::byte, page> tables{};
    const auto made = acpi::build_guest_tables(tables, base::GuestPhysAddr{CAISSON_GPA_ACPI}, cpus);
    base::expects(made.ok(), "boot area: number of CPUs");
    add(CAISSON_GPA_ACPI, tables);

    std::array<std::byte, pvh::start_info_bytes> info{};
    std::vector<pvh::GuestRange> ram;
    pvh::GuestRange module;
    base::expects(pvh::build_start_info(info, start_input(request, regions, ram, module)).ok(),
                  "boot area: regions");
    add(CAISSON_GPA_START_INFO, std::span{info}.first<page>());
    add(CAISSON_GPA_START_INFO + page, std::span{info}.last<page>());

    std::array<std::byte, page> boot{};
    pvh::BootPageInput input;
    input.partition_id = index;
    input.vcpu_count = cpus;
    input.memory_bytes = request.memory_bytes;
    input.root = root_of(regions);
    input.startup_bytes = static_cast<std::uint32_t>(request.startup.size());
    input.watchdog_ms = request.behaviour.watchdog_ms;
    input.name = request.name;
    input.links = links;
    pvh::build_boot_page(boot, input);
    add(CAISSON_GPA_BOOT_PAGE, boot);
    add(CAISSON_GPA_STARTUP, request.startup);
    return out;
}

std::string command_line_of(const Plan& plan, std::uint32_t index) {
    const Partition record = plan.partition(index);
    for (std::uint32_t i = 0; i < record.load_count; ++i) {
        const Load load = plan.load(record.first_load + i);
        if (load.gpa != CAISSON_GPA_START_INFO + page || load.section != no_section)
            continue;
        std::string text(load.bytes, '\0');
        std::memcpy(text.data(), plan.table().data() + load.offset, text.size());
        return text;
    }
    return {};
}

} // namespace plan
