// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bytes/reader.hpp"
#include "loader/handover/boot_record.hpp"

namespace loader {
namespace {

using Bytes = std::span<const std::byte>;
using Status = base::Status<BootError>;

namespace tag {
constexpr std::uint32_t end = 0, module = 3, memory_map = 6, frame_buffer = 8, acpi_old = 14, acpi_new = 15,
                        efi_memory_map = 17;
}
struct TagHeader {
    std::uint32_t type, size;
};
struct EfiEntry {
    std::uint32_t type, reserved;
    std::uint64_t start, virtual_start, pages, attributes;
};
constexpr std::uint32_t max_information = 1u << 20;

// A tag with a memory map: the length of its entries, another word, entries. take(entry) is false when there is no room.
template <typename Entry, typename Take> Status each_entry(Bytes body, Take take) {
    const auto entry_size = bytes::load<std::uint32_t>(body, 0);
    if (!entry_size || *entry_size < sizeof(Entry) || *entry_size > 4096)
        return base::Failure{BootError::bad_structure};
    for (std::size_t at = sizeof(std::uint64_t); const auto entry = bytes::load<Entry>(body, at);
         at += *entry_size)
        if (!take(*entry))
            return base::Failure{BootError::too_many_entries};
    return base::success;
}

Status take_module(const bytes::Source& memory, Bytes body, BootRecord& record) {
    const auto first = bytes::load<std::uint32_t>(body, 0), last = bytes::load<std::uint32_t>(body, 4);
    if (!first || !last)
        return base::Failure{BootError::bad_structure};
    if (record.module.bytes != 0)
        return base::Failure{BootError::too_many_modules};
    if (*last <= *first || memory.view(*first, *last - *first).size() != *last - *first)
        return base::Failure{BootError::bad_module};
    record.module = {*first, *last - *first};
    return base::success;
}

// The copy of the RSDP. The newer tag (15) wins over the older one.
void take_rsdp(Bytes body, bool newer, BootRecord& record) {
    const std::size_t size = newer ? record.rsdp_copy.size() : 20;
    if (body.size() < size || (record.rsdp_copied && !newer))
        return;
    record.rsdp_copy = {};
    std::memcpy(record.rsdp_copy.data(), body.data(), size);
    record.rsdp_copied = true;
}

// Section 3.6.12. Only what has eight bits a colour in pixels of 32, as UEFI's frame buffers have.
struct FrameBuffer {
    std::uint64_t base;
    std::uint32_t line_bytes, width, height;
    std::uint8_t pixel_bits, type;
    std::array<std::uint8_t, 2> reserved;
    std::uint8_t red_at, red_bits, green_at, green_bits, blue_at, blue_bits;
    std::array<std::uint8_t, 2> padding;
};
static_assert(sizeof(FrameBuffer) == 32 && offsetof(FrameBuffer, red_at) == 24);

void take_screen(Bytes body, BootRecord& record) {
    constexpr std::uint8_t direct_colour = 1, pixel_bits = 8 * Screen::pixel, colour_bits = 8;
    FrameBuffer given{};
    if (body.size() < offsetof(FrameBuffer, padding))
        return;
    std::memcpy(&given, body.data(), offsetof(FrameBuffer, padding));
    const Screen screen{given.base,
                        std::uint64_t{given.line_bytes} * given.height,
                        given.width,
                        given.height,
                        given.line_bytes / Screen::pixel,
                        given.red_at == 0 ? 0u : 1u};
    const bool known = given.type == direct_colour && given.pixel_bits == pixel_bits &&
                       given.line_bytes % Screen::pixel == 0 && given.red_bits == colour_bits &&
                       given.green_bits == colour_bits && given.blue_bits == colour_bits &&
                       given.green_at == 8 && given.red_at + given.blue_at == 16 &&
                       (given.red_at == 0 || given.blue_at == 0);
    if (known && screen.makes_sense())
        record.screen = screen;
}

Status take(const bytes::Source& memory, std::uint32_t type, Bytes body, BootRecord& record) {
    switch (type) {
    case tag::module:
        return take_module(memory, body, record);
    case tag::memory_map:
        return each_entry<MapEntry>(body, [&record](const MapEntry& entry) {
            return record.memory.push_back({entry.base, entry.bytes, memory::kind_of_e820(entry.type)});
        });
    case tag::efi_memory_map:
        // EFI types that stay the firmware's after ExitBootServices are reserved here too: the most restrictive type wins.
        return each_entry<EfiEntry>(body, [&record](const EfiEntry& entry) {
            constexpr std::uint64_t page = 4096;
            return memory::kind_of_efi(entry.type, entry.attributes) == memory::Kind::usable ||
                   entry.pages > (~std::uint64_t{0} - entry.start) / page ||
                   record.memory.push_back({entry.start, entry.pages * page, memory::Kind::reserved});
        });
    case tag::frame_buffer:
        take_screen(body, record);
        return base::success;
    case tag::acpi_old:
    case tag::acpi_new:
        take_rsdp(body, type == tag::acpi_new, record);
        return base::success;
    default:
        return base::success; // tags we have no use for
    }
}

} // namespace

base::Status<BootError> read_multiboot2(const bytes::Source& memory, std::uint64_t information,
                                        BootRecord& record) {
    const auto total = memory.load<std::uint32_t>(information);
    if (!total || *total < 16 || *total > max_information)
        return base::Failure{BootError::bad_structure};
    const Bytes view = memory.view(information, *total);
    if (view.size() != *total)
        return base::Failure{BootError::bad_structure};
    std::size_t at = 8;
    for (;;) {
        const auto head = bytes::load<TagHeader>(view, at);
        if (!head || head->size < sizeof(TagHeader) || head->size > view.size() - at)
            return base::Failure{BootError::bad_structure};
        if (head->type == tag::end)
            break;
        CAISSON_TRY(take(memory, head->type,
                         view.subspan(at + sizeof(TagHeader), head->size - sizeof(TagHeader)), record));
        at += (std::size_t{head->size} + 7) & ~std::size_t{7};
    }
    if (record.memory.empty())
        return base::Failure{BootError::no_memory_map};
    if (record.module.bytes == 0)
        return base::Failure{BootError::no_module};
    return base::success;
}

} // namespace loader
