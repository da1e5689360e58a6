// SPDX-License-Identifier: Apache-2.0
#include "loader/uefi/pe_image.hpp"

#include <algorithm>
#include <array>

namespace loader::uefi {
namespace {

constexpr std::uint32_t pe_signature = 0x4550, elf_magic = 0x464c457f;
constexpr std::uint32_t segment_load = 1, segment_note = 4, note_entry = 1;
constexpr std::uint64_t image_limit = 0x200000;

struct Section {
    std::array<char, 8> name;
    std::uint32_t bytes, address;
    std::array<std::uint32_t, 6> rest;
};
static_assert(sizeof(Section) == 40);

struct ElfHeader {
    std::uint32_t magic;
    std::array<std::uint8_t, 12> identity;
    std::uint16_t type, machine;
    std::uint32_t version;
    std::uint64_t entry, segments, sections;
    std::uint32_t flags;
    std::uint16_t header_bytes, segment_bytes, segment_count;
};
struct Segment {
    std::uint32_t type, flags;
    std::uint64_t offset, address, physical, file_bytes, memory_bytes, alignment;
};
static_assert(sizeof(Segment) == 56);
struct Note {
    std::uint32_t name_bytes, value_bytes, type;
    std::array<char, 8> name; // "Caisson"; behind it the distance of the entry from the image's start
};

// use(segment) for each, until it returns false; false where the table or a segment is damaged.
template <typename Use> bool each_segment(Bytes elf, Use use) {
    const auto head = bytes::load<ElfHeader>(elf, 0);
    if (!head || head->magic != elf_magic || head->segment_bytes != sizeof(Segment))
        return false;
    for (std::uint64_t i = 0; i < head->segment_count; ++i) {
        const auto at = bytes::checked_add(head->segments, i * sizeof(Segment));
        const auto segment = at ? bytes::load<Segment>(elf, *at) : std::nullopt;
        if (!segment || !bytes::lies_within(segment->offset, segment->file_bytes, elf.size()) ||
            (segment->type == segment_load && segment->file_bytes > segment->memory_bytes))
            return false;
        if (!use(*segment))
            return false;
    }
    return true;
}

std::uint64_t lowest(Bytes elf) {
    std::uint64_t base = ~std::uint64_t{0};
    (void)each_segment(elf, [&base](const Segment& segment) {
        if (segment.type == segment_load)
            base = std::min(base, segment.address);
        return true;
    });
    return base;
}

// Notes have the length of their name and value, each rounded up to 4.
std::optional<std::uint64_t> entry_in(Bytes notes) {
    for (std::uint64_t at = 0; const auto note = bytes::load<std::array<std::uint32_t, 3>>(notes, at);) {
        const auto ours = bytes::load<Note>(notes, at);
        if (ours && ours->name_bytes == ours->name.size() && ours->value_bytes == sizeof(std::uint64_t) &&
            ours->type == note_entry &&
            std::string_view(ours->name.data(), ours->name.size()) == std::string_view("Caisson", 8))
            return bytes::load<std::uint64_t>(notes, at + sizeof *ours);
        const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
        at += sizeof *note + padded((*note)[0]) + padded((*note)[1]);
    }
    return std::nullopt;
}

} // namespace

Bytes find_section(Bytes image, std::string_view name) {
    const auto header = bytes::load<std::uint32_t>(image, 0x3c);
    if (!header || bytes::load<std::uint32_t>(image, *header) != pe_signature)
        return {};
    const auto count = bytes::load<std::uint16_t>(image, *header + std::uint64_t{6});
    const auto optional_bytes = bytes::load<std::uint16_t>(image, *header + std::uint64_t{20});
    if (!count || !optional_bytes)
        return {};
    const std::uint64_t table = std::uint64_t{*header} + 24 + *optional_bytes;
    for (std::uint64_t i = 0; i < *count; ++i) {
        const auto section = bytes::load<Section>(image, table + i * sizeof(Section));
        if (!section)
            return {};
        const std::string_view padded(section->name.data(), section->name.size());
        if (padded.substr(0, padded.find('\0')) == name)
            return bytes::lies_within(section->address, section->bytes, image.size())
                       ? image.subspan(section->address, section->bytes)
                       : Bytes{};
    }
    return {};
}

std::optional<ElfShape> shape_of(Bytes elf) {
    const std::uint64_t base = lowest(elf);
    ElfShape shape;
    std::optional<std::uint64_t> entry;
    const bool whole = each_segment(elf, [&](const Segment& segment) {
        if (segment.type == segment_note)
            entry = entry_in(elf.subspan(segment.offset, segment.file_bytes));
        if (segment.type != segment_load)
            return true;
        if (!bytes::lies_within(segment.address - base, segment.memory_bytes, image_limit))
            return false;
        shape.bytes = std::max(shape.bytes, segment.address - base + segment.memory_bytes);
        return true;
    });
    if (!whole || shape.bytes == 0 || !entry || *entry >= shape.bytes)
        return std::nullopt;
    shape.entry = *entry;
    return shape;
}

void place(Bytes elf, std::span<std::byte> room) {
    std::memset(room.data(), 0, room.size());
    const std::uint64_t base = lowest(elf);
    (void)each_segment(elf, [&](const Segment& segment) {
        if (segment.type == segment_load && segment.file_bytes != 0)
            std::memcpy(room.subspan(segment.address - base, segment.file_bytes).data(),
                        elf.data() + segment.offset, segment.file_bytes);
        return true;
    });
}

} // namespace loader::uefi
