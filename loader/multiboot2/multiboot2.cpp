// SPDX-License-Identifier: Apache-2.0
#include "loader/multiboot2/multiboot2.hpp"

namespace loader::multiboot2 {
namespace {

using Bytes = std::span<const std::byte>;
using Status = base::Status<BootError>;

enum Tag : std::uint32_t {
    end = 0,
    module = 3,
    memory_map = 6,
    acpi_old = 14,
    acpi_new = 15,
    efi_memory_map = 17,
};
struct TagHeader {
    std::uint32_t type, size;
};
constexpr std::uint32_t max_information = 1u << 20;

// Bytes of a tag's body at `offset`; nothing where the tag is too short.
template <typename T> std::optional<T> field(Bytes body, std::size_t offset) {
    if (offset > body.size() || body.size() - offset < sizeof(T))
        return std::nullopt;
    T value{};
    __builtin_memcpy(&value, body.data() + offset, sizeof(T));
    return value;
}

Status take_memory_map(Bytes body, BootRecord& record) {
    const auto entry_size = field<std::uint32_t>(body, 0);
    constexpr std::size_t entries = 8, smallest = 24;
    if (!entry_size || *entry_size < smallest || *entry_size > 4096)
        return base::Failure{BootError::bad_structure};
    for (std::size_t at = entries; at + smallest <= body.size(); at += *entry_size) {
        const memory::Range entry{*field<std::uint64_t>(body, at), *field<std::uint64_t>(body, at + 8),
                                  memory::kind_of_e820(*field<std::uint32_t>(body, at + 16))};
        if (!record.memory.push_back(entry))
            return base::Failure{BootError::too_many_entries};
    }
    return base::success;
}

// EFI types that stay the firmware's after ExitBootServices are reserved here too: the most restrictive type
// wins.
Status take_efi_map(Bytes body, BootRecord& record) {
    constexpr std::size_t entries = 8, smallest = 40, page = 4096;
    const auto entry_size = field<std::uint32_t>(body, 0);
    if (!entry_size || *entry_size < smallest || *entry_size > 4096)
        return base::Failure{BootError::bad_structure};
    for (std::size_t at = entries; at + smallest <= body.size(); at += *entry_size) {
        const std::uint32_t type = *field<std::uint32_t>(body, at);
        const std::uint64_t start = *field<std::uint64_t>(body, at + 8);
        const std::uint64_t pages = *field<std::uint64_t>(body, at + 24);
        const std::uint64_t attributes = *field<std::uint64_t>(body, at + 32);
        const memory::Kind kind = memory::kind_of_efi(type, attributes);
        if (kind == memory::Kind::usable || pages > (~std::uint64_t{0} - start) / page)
            continue;
        if (!record.memory.push_back({start, pages * page, kind}))
            return base::Failure{BootError::too_many_entries};
    }
    return base::success;
}

Status take_module(const PhysicalMemory& physical, Bytes body, BootRecord& record) {
    const auto first = field<std::uint32_t>(body, 0), last = field<std::uint32_t>(body, 4);
    if (!first || !last)
        return base::Failure{BootError::bad_structure};
    if (record.module.bytes != 0)
        return base::Failure{BootError::too_many_modules};
    if (*last <= *first || !physical.view(*first, *last - *first))
        return base::Failure{BootError::bad_module};
    record.module = {*first, *last - *first};
    return base::success;
}

// The copy of the RSDP. The newer tag (15) wins over the older one.
void take_rsdp(Bytes body, bool newer, BootRecord& record) {
    constexpr std::size_t old_size = 20;
    if (body.size() < (newer ? record.rsdp_copy.size() : old_size) || (record.rsdp_copied && !newer))
        return;
    record.rsdp_copy = {};
    __builtin_memcpy(record.rsdp_copy.data(), body.data(), newer ? record.rsdp_copy.size() : old_size);
    record.rsdp_copied = true;
}

Status take(const PhysicalMemory& physical, std::uint32_t type, Bytes body, BootRecord& record) {
    switch (type) {
    case Tag::module:
        return take_module(physical, body, record);
    case Tag::memory_map:
        return take_memory_map(body, record);
    case Tag::efi_memory_map:
        return take_efi_map(body, record);
    case Tag::acpi_old:
        take_rsdp(body, false, record);
        return base::success;
    case Tag::acpi_new:
        take_rsdp(body, true, record);
        return base::success;
    default:
        return base::success; // tags we have no use for
    }
}

} // namespace

base::Status<BootError> read(const PhysicalMemory& physical, std::uint64_t information, BootRecord& record) {
    const auto total = physical.read<std::uint32_t>(information);
    if (!total || *total < 16 || *total > max_information)
        return base::Failure{BootError::bad_structure};
    const auto view = physical.view(information, *total);
    if (!view)
        return base::Failure{BootError::bad_structure};
    std::size_t at = 8;
    for (;;) {
        const auto tag = field<TagHeader>(*view, at);
        if (!tag || tag->size < sizeof(TagHeader) || tag->size > view->size() - at)
            return base::Failure{BootError::bad_structure};
        if (tag->type == Tag::end)
            break;
        CAISSON_TRY(take(physical, tag->type,
                         view->subspan(at + sizeof(TagHeader), tag->size - sizeof(TagHeader)), record));
        at += (std::size_t{tag->size} + 7) & ~std::size_t{7};
        if (at > view->size())
            return base::Failure{BootError::bad_structure};
    }
    if (record.memory.empty())
        return base::Failure{BootError::no_memory_map};
    if (record.module.bytes == 0)
        return base::Failure{BootError::no_module};
    return base::success;
}

} // namespace loader::multiboot2
