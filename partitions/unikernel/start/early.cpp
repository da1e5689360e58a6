// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/early.cpp - see early.hpp.
//
// Trust: start info and boot page come from the hypervisor (or from QEMU's command line).
#include "partitions/unikernel/start/early.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/abi/hypercall.h"
#include "partitions/unikernel/machine/calibrate.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/console.hpp"
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/mm/frame_setup.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"
#include "partitions/unikernel/start/network.hpp"

#include <algorithm>
#include <cstring>

namespace uk::start {

namespace {

constexpr std::uint64_t early_end = base::huge_page_size; // what entry.S maps
MemoryMap memory_map;
caisson_boot_page page;
Region early_free; // RAM that tables come from before the frame allocator works

const std::byte* early_window(std::uint64_t address, std::uint64_t bytes) {
    if (address > early_end || bytes > early_end - address)
        return nullptr;
    return mm::frame_data(base::PhysAddr{address});
}

base::PhysAddr take_early_page() {
    base::expects(early_free.start < early_free.end, "no RAM for the first page tables");
    const base::PhysAddr taken{early_free.start};
    early_free.start += base::page_size;
    std::memset(mm::frame_data(taken), 0, base::page_size);
    return taken;
}

using Regions = base::FixedVector<Region, 32>;

// `regions` without [start, end).
Regions without(const Regions& regions, std::uint64_t start, std::uint64_t end) {
    Regions result;
    const auto add = [&](std::uint64_t from, std::uint64_t to) {
        if (from < to)
            base::expects(result.push_back({from, to}), "memory map: too many pieces");
    };
    for (const Region& region : regions) {
        add(region.start, std::min(region.end, start));
        add(std::max(region.start, end), region.end);
    }
    return result;
}

// RAM that nothing lies in: not page 0, the image, the module.
Regions free_ram() {
    Regions regions;
    for (const Region& region : memory_map.ram)
        base::expects(regions.push_back(region), "memory map: too many regions");
    regions = without(regions, 0, base::page_size);
    regions =
        without(regions, reinterpret_cast<std::uint64_t>(image_start), machine::image_physical(image_end));
    if (memory_map.module.start < memory_map.module.end)
        regions = without(regions, base::round_down(memory_map.module.start, base::page_size),
                          *base::round_up(memory_map.module.end, base::page_size));
    return regions;
}

Region largest_early(const Regions& regions) {
    Region best;
    for (const Region& region : regions) {
        const Region part{region.start, std::min(region.end, early_end)};
        if (part.end > part.start && part.end - part.start > best.end - best.start)
            best = part;
    }
    return best;
}

// The boot page tells where the root image is; until the final tables it is read through the early ones.
void copy_boot_page() {
    if (memory_map.module.end - memory_map.module.start < sizeof(page))
        base::fail("no module: the boot page is missing", "", 0);
    const std::byte* bytes = early_window(memory_map.module.start, sizeof(page));
    if (bytes == nullptr)
        base::fail("the module does not begin in the first GiB", "", 0);
    std::memcpy(&page, bytes, sizeof(page));
    if (page.magic != CAISSON_BOOT_MAGIC)
        base::fail("the module does not begin with a boot page", "", 0);
    machine::set_up_console(page.flags);
    if (page.abi_version >> 16 != CAISSON_ABI_VERSION >> 16)
        base::fail("the boot page is of another ABI version", "", 0);
}

} // namespace

void read_boot_page(std::uint32_t start_info) {
    machine::guess_console();
    const auto map = read_start_info(start_info, &early_window);
    if (!map)
        base::fail("PVH start info is not sound", "", 0);
    memory_map = *map;
    copy_boot_page();
}

const caisson_boot_page& boot_page() {
    return page;
}

std::span<std::byte> boot_module() {
    return {mm::frame_data(base::PhysAddr{memory_map.module.start}),
            memory_map.module.end - memory_map.module.start};
}

Region root_region() {
    if (page.root_bytes == 0)
        return {};
    std::uint64_t start = page.root_gpa, end = 0;
    if ((page.flags & CAISSON_BOOT_DIRECT) != 0 &&
        __builtin_add_overflow(start, memory_map.module.start, &start))
        base::fail("root image: address out of range", "", 0);
    if (__builtin_add_overflow(start, page.root_bytes, &end) || end > std::uint64_t{1} << 39 ||
        start % base::page_size != 0)
        base::fail("root image: address out of range", "", 0);
    if ((page.flags & CAISSON_BOOT_DIRECT) != 0 && end > memory_map.module.end)
        base::fail("root image: not inside the module", "", 0);
    return {start, end};
}

void set_up_memory(const Region& root) {
    Regions regions = free_ram();
    early_free = largest_early(regions);
    const Region before = early_free;

    base::FixedVector<mm::MappedRange, 20> ranges;
    std::uint64_t end_of_ram = 0;
    for (const Region& region : memory_map.ram) {
        base::expects(ranges.push_back({region.start, region.end, true}), "memory map: too many regions");
        end_of_ram = std::max(end_of_ram, region.end);
    }
    const bool in_ram = machine::is_direct(); // the module, and the root in it, are RAM of QEMU's choice
    if (!in_ram)
        base::expects(ranges.push_back({base::round_down(memory_map.module.start, base::page_size),
                                        *base::round_up(memory_map.module.end, base::page_size), false}) &&
                          ranges.push_back({root.start, *base::round_up(root.end, base::page_size), false}),
                      "memory map: too many regions");
    const NetworkRanges network = network_ranges(page);
    for (const Region& region : {network.lanes, network.devices})
        if (region.start < region.end)
            base::expects(ranges.push_back({region.start, region.end, true}), "memory map: too many regions");
    mm::build_kernel_tables(ranges.view(), &take_early_page);

    const std::uint64_t table_bytes = *base::round_up(mm::frame_table_bytes(end_of_ram), base::page_size);
    if (early_free.end - early_free.start < table_bytes)
        base::fail("too little memory for the frame table", "", 0);
    mm::set_up_frames(end_of_ram, mm::frame_data(base::PhysAddr{early_free.start}));
    early_free.start += table_bytes;
    regions = without(regions, before.start, early_free.start);
    for (const Region& region : regions)
        mm::add_frames(base::PhysAddr{region.start}, base::PhysAddr{region.end});
}

void start_clock() {
    std::uint64_t hz = page.tsc_hz;
    if (hz == 0)
        hz = machine::measure_tsc_hz();
    std::uint64_t wall_ns = page.wall_ns, wall_tsc = page.wall_tsc;
    if (wall_ns == 0 && machine::is_direct()) {
        wall_ns = machine::read_wall_clock();
        wall_tsc = cpu::rdtsc();
    }
    set_up_clock(hz, wall_ns, wall_tsc);
}

} // namespace uk::start
