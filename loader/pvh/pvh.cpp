// SPDX-License-Identifier: Apache-2.0
#include "loader/handover/boot_record.hpp"

namespace loader {
namespace {

constexpr std::uint32_t start_magic = 0x336ec578;

struct StartInfo {
    std::uint32_t magic, version, flags, module_count;
    std::uint64_t modules, command_line, rsdp, memory_map;
    std::uint32_t memory_map_entries, reserved;
};
static_assert(sizeof(StartInfo) == 56);

struct Module {
    std::uint64_t address, bytes, command_line, reserved;
};

} // namespace

base::Status<BootError> read_pvh(const bytes::Source& memory, std::uint64_t start_info, BootRecord& record) {
    const auto info = memory.load<StartInfo>(start_info);
    if (!info || info->magic != start_magic)
        return base::Failure{BootError::bad_structure};
    if (info->version < 1 || info->memory_map == 0 || info->memory_map_entries == 0)
        return base::Failure{BootError::no_memory_map};
    if (info->memory_map_entries > memory::max_firmware_entries)
        return base::Failure{BootError::too_many_entries};
    for (std::uint32_t i = 0; i < info->memory_map_entries; ++i) {
        const auto entry = memory.load<MapEntry>(info->memory_map + i * sizeof(MapEntry));
        if (!entry)
            return base::Failure{BootError::bad_structure};
        if (!record.memory.push_back({entry->base, entry->bytes, memory::kind_of_e820(entry->type)}))
            return base::Failure{BootError::too_many_entries};
    }
    record.rsdp = info->rsdp;
    if (info->module_count == 0)
        return base::Failure{BootError::no_module};
    if (info->module_count > 1)
        return base::Failure{BootError::too_many_modules};
    const auto module = memory.load<Module>(info->modules);
    if (!module)
        return base::Failure{BootError::bad_structure};
    if (module->bytes == 0 || memory.view(module->address, module->bytes).size() != module->bytes)
        return base::Failure{BootError::bad_module};
    record.module = {module->address, module->bytes};
    return base::success;
}

} // namespace loader
