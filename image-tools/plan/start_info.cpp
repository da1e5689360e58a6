// SPDX-License-Identifier: Apache-2.0
// image-tools/plan/start_info.cpp - start info, memory map and boot page of a partition.
#include "image-tools/plan/start_info.hpp"

#include "hypervisor/base/fail.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/bytes/reader.hpp"

#include <algorithm>

namespace pvh {
namespace {

constexpr std::size_t modules_offset = 64;
constexpr std::size_t map_offset = modules_offset + max_modules * sizeof(ModuleEntry);
constexpr std::size_t command_line_offset = 4096;
static_assert(map_offset + max_memory_entries * sizeof(MemoryEntry) <= command_line_offset);
static_assert(command_line_offset + max_command_line + 1 <= start_info_bytes);
static_assert(sizeof(StartInfo) <= modules_offset);
static_assert(CAISSON_GPA_START_INFO + start_info_bytes == CAISSON_GPA_BOOT_PAGE);
static_assert(CAISSON_GPA_ACPI + base::page_size == CAISSON_GPA_START_INFO);

using MemoryMap = base::FixedVector<MemoryEntry, max_memory_entries>;

template <typename T> void put(std::span<std::byte> out, std::size_t offset, const T& value) {
    base::expects(bytes::store(out, offset, value), "start info: past its end");
}

bool aligned(const GuestRange& range) {
    return ((range.gpa | range.bytes) & (base::page_size - 1)) == 0;
}

void add(MemoryMap& map, std::uint64_t from, std::uint64_t to, MemoryType type) {
    if (from < to)
        base::expects(map.push_back({from, to - from, static_cast<std::uint32_t>(type), 0}),
                      "memory map: full");
}

// Whether RAM starts at 0, reaches 1 MiB, ascends, and nothing (the root image neither) overlaps.
bool regions_good(const StartInput& input) {
    if (input.ram.empty() || input.ram.front().gpa != 0 || input.ram.front().bytes < CAISSON_GPA_BOOT_END)
        return false;
    std::uint64_t end = 0;
    for (const GuestRange& range : input.ram) {
        if (!aligned(range) || range.bytes == 0 || range.gpa < end ||
            __builtin_add_overflow(range.gpa, range.bytes, &end))
            return false;
        const GuestRange& root = input.root;
        if (root.bytes != 0 && root.gpa < end && range.gpa < root.gpa + root.bytes)
            return false;
    }
    return aligned(input.root) && input.root.gpa <= UINT64_MAX - input.root.bytes;
}

MemoryMap memory_map(const StartInput& input) {
    MemoryMap map;
    const GuestRange& low = input.ram.front();
    add(map, 0, CAISSON_GPA_ACPI, MemoryType::ram);
    add(map, CAISSON_GPA_ACPI, CAISSON_GPA_START_INFO, MemoryType::acpi);
    add(map, CAISSON_GPA_START_INFO, CAISSON_GPA_BOOT_END, MemoryType::reserved);
    add(map, CAISSON_GPA_BOOT_END, low.bytes, MemoryType::ram);
    const GuestRange& root = input.root;
    bool root_done = root.bytes == 0;
    for (const GuestRange& range : input.ram.subspan(1)) {
        if (!root_done && root.gpa < range.gpa) {
            add(map, root.gpa, root.gpa + root.bytes, MemoryType::reserved);
            root_done = true;
        }
        add(map, range.gpa, range.gpa + range.bytes, MemoryType::ram);
    }
    if (!root_done)
        add(map, root.gpa, root.gpa + root.bytes, MemoryType::reserved);
    return map;
}

} // namespace

base::Status<Error> build_start_info(std::span<std::byte, start_info_bytes> pages, const StartInput& input) {
    if (input.command_line.size() > max_command_line)
        return base::Failure{Error::command_line_too_long};
    if (input.ram.size() > max_ram || input.modules.size() > max_modules)
        return base::Failure{Error::too_many_regions};
    if (!regions_good(input))
        return base::Failure{Error::bad_region};

    std::ranges::fill(pages, std::byte{0});
    const MemoryMap map = memory_map(input);
    const auto gpa = [](std::size_t offset) { return std::uint64_t{CAISSON_GPA_START_INFO} + offset; };
    put(pages, 0,
        StartInfo{.magic = start_magic,
                  .version = 1,
                  .flags = 0,
                  .module_count = static_cast<std::uint32_t>(input.modules.size()),
                  .module_list = input.modules.empty() ? 0 : gpa(modules_offset),
                  .command_line = gpa(command_line_offset),
                  .rsdp = input.rsdp,
                  .memory_map = gpa(map_offset),
                  .memory_map_entries = static_cast<std::uint32_t>(map.size()),
                  .reserved = 0});
    for (std::size_t i = 0; i < input.modules.size(); ++i)
        put(pages, modules_offset + i * sizeof(ModuleEntry),
            ModuleEntry{input.modules[i].gpa, input.modules[i].bytes, 0, 0});
    for (std::size_t i = 0; i < map.size(); ++i)
        put(pages, map_offset + i * sizeof(MemoryEntry), map[i]);
    std::ranges::copy(std::as_bytes(std::span{input.command_line}), pages.begin() + command_line_offset);
    return base::success;
}

void build_boot_page(std::span<std::byte, 4096> page, const BootPageInput& input) {
    static_assert(sizeof(caisson_boot_page) == 4096);
    std::ranges::fill(page, std::byte{0});
    const auto field = [&](std::size_t offset, const auto& value) { put(page, offset, value); };
    field(offsetof(caisson_boot_page, magic), std::uint64_t{CAISSON_BOOT_MAGIC});
    field(offsetof(caisson_boot_page, abi_version), std::uint32_t{CAISSON_ABI_VERSION});
    field(offsetof(caisson_boot_page, flags), input.flags);
    field(offsetof(caisson_boot_page, partition_id), input.partition_id);
    field(offsetof(caisson_boot_page, vcpu_count), input.vcpu_count);
    field(offsetof(caisson_boot_page, memory_bytes), input.memory_bytes);
    field(offsetof(caisson_boot_page, root_gpa), input.root.bytes != 0 ? input.root.gpa : 0);
    field(offsetof(caisson_boot_page, root_bytes), input.root.bytes);
    if (input.startup_bytes != 0) {
        field(offsetof(caisson_boot_page, startup_offset), std::uint32_t{sizeof(caisson_boot_page)});
        field(offsetof(caisson_boot_page, startup_bytes), input.startup_bytes);
    }
    field(offsetof(caisson_boot_page, watchdog_ms), input.watchdog_ms);
    field(offsetof(caisson_boot_page, link_count), static_cast<std::uint32_t>(input.links.size()));
    for (std::size_t i = 0; i < input.links.size(); ++i)
        field(offsetof(caisson_boot_page, links) + i * sizeof(caisson_link), input.links[i]);
    const std::string_view name = input.name.substr(0, sizeof(caisson_boot_page::partition_name) - 1);
    std::ranges::copy(std::as_bytes(std::span{name}),
                      page.begin() + offsetof(caisson_boot_page, partition_name));
}

} // namespace pvh
