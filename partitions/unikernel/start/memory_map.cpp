// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/start/memory_map.cpp - see memory_map.hpp. Pure.
#include "partitions/unikernel/start/memory_map.hpp"

#include "hypervisor/base/address.hpp"

#include <cstddef>
#include <cstring>

namespace uk::start {

namespace {

constexpr std::uint32_t start_info_magic = 0x336ec578;
constexpr std::uint32_t ram_type = 1;

struct StartInfo {
    std::uint32_t magic, version, flags, module_count;
    std::uint64_t modules, command_line, rsdp, memory_map;
    std::uint32_t memory_map_entries, reserved;
};
static_assert(sizeof(StartInfo) == 56);
struct Module {
    std::uint64_t address, bytes, command_line, reserved;
};
struct MapEntry {
    std::uint64_t address, bytes;
    std::uint32_t type, reserved;
};

template <typename T> std::optional<T> read(PhysicalWindow window, std::uint64_t address) {
    const std::byte* bytes = window(address, sizeof(T));
    if (bytes == nullptr)
        return std::nullopt;
    T value{};
    std::memcpy(&value, bytes, sizeof(T));
    return value;
}

} // namespace

std::optional<MemoryMap> read_start_info(std::uint64_t address, PhysicalWindow window) {
    const auto info = read<StartInfo>(window, address);
    if (!info || info->magic != start_info_magic || info->version < 1 || info->memory_map_entries > 64)
        return std::nullopt;
    MemoryMap map;
    for (std::uint32_t i = 0; i < info->memory_map_entries; ++i) {
        const auto entry = read<MapEntry>(window, info->memory_map + i * sizeof(MapEntry));
        std::uint64_t end = 0;
        if (!entry || __builtin_add_overflow(entry->address, entry->bytes, &end))
            return std::nullopt;
        const auto start = base::round_up(entry->address, base::page_size);
        if (entry->type != ram_type || !start || *start >= base::round_down(end, base::page_size))
            continue;
        if (!map.ram.push_back({*start, base::round_down(end, base::page_size)}))
            return std::nullopt;
    }
    if (info->module_count > 0) {
        const auto module = read<Module>(window, info->modules);
        std::uint64_t end = 0;
        if (!module || __builtin_add_overflow(module->address, module->bytes, &end))
            return std::nullopt;
        map.module = {module->address, end};
    }
    if (map.ram.empty())
        return std::nullopt;
    return map;
}

} // namespace uk::start
