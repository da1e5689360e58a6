// SPDX-License-Identifier: Apache-2.0
#include "loader/uefi/firmware.hpp"
#include "loader/uefi/handover.hpp"

namespace loader {
namespace {

using Status = base::Status<BootError>;

constexpr std::uint64_t max_map_bytes = 4u << 20, max_descriptor_bytes = 4096;

// Neighbours of one kind become one: firmware's list is longer than what it says.
bool add(BootRecord& record, const memory::Range& range) {
    if (!record.memory.empty()) {
        memory::Range& last = record.memory[record.memory.size() - 1];
        if (last.kind == range.kind && last.base + last.bytes == range.base) {
            last.bytes += range.bytes;
            return true;
        }
    }
    return record.memory.push_back(range);
}

// A range that wraps is cut there when it is the firmware's, and nothing when it is said to be free.
Status take_map(const bytes::Source& memory, const uefi::Handover& given, BootRecord& record) {
    if (given.map_bytes == 0 || given.map_bytes > max_map_bytes)
        return base::Failure{BootError::no_memory_map};
    if (given.descriptor_bytes < sizeof(uefi::MemoryDescriptor) ||
        given.descriptor_bytes > max_descriptor_bytes)
        return base::Failure{BootError::bad_structure};
    for (std::uint64_t at = 0; given.map_bytes - at >= given.descriptor_bytes; at += given.descriptor_bytes) {
        const auto entry = memory.load<uefi::MemoryDescriptor>(given.map + at);
        if (!entry)
            return base::Failure{BootError::bad_structure};
        constexpr std::uint64_t page = 4096;
        const memory::Kind kind = memory::kind_of_efi(entry->type, entry->attributes);
        const std::uint64_t most = (~std::uint64_t{0} - entry->start) / page;
        if (entry->pages == 0 || (entry->pages > most && kind == memory::Kind::usable))
            continue;
        if (!add(record, {entry->start, std::min(entry->pages, most) * page, kind}))
            return base::Failure{BootError::too_many_entries};
    }
    return record.memory.empty() ? Status{base::Failure{BootError::no_memory_map}} : base::success;
}

} // namespace

base::Status<BootError> read_uefi(const bytes::Source& memory, std::uint64_t handover, BootRecord& record) {
    const auto given = memory.load<uefi::Handover>(handover);
    if (!given || given->magic != uefi::handover_magic)
        return base::Failure{BootError::bad_structure};
    CAISSON_TRY(take_map(memory, *given, record));
    record.rsdp = given->rsdp;
    record.smbios = given->smbios;
    record.loader_started = given->started;
    if (given->screen.makes_sense())
        record.screen = given->screen;
    record.screen_is_black = given->screen_is_black != 0;
    if (given->bundle_bytes == 0)
        return base::Failure{BootError::no_module};
    if (memory.view(given->bundle, given->bundle_bytes).size() != given->bundle_bytes)
        return base::Failure{BootError::bad_module};
    record.module = {given->bundle, given->bundle_bytes};
    return base::success;
}

} // namespace loader
