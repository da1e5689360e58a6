// SPDX-License-Identifier: Apache-2.0
// image-tools/sbom/elf_file.cpp - the sections of a program in a root image.
//
// Spec: System V ABI, "Object Files" (sections, program headers).
#include "image-tools/sbom/elf_file.hpp"

#include "image-tools/sbom/bytes.hpp"
#include "partitions/formats/elf.hpp"

#include <cstring>

namespace sbom {
namespace {

constexpr std::uint64_t section_bytes = 64, segment_bytes = sizeof(elf::ProgramHeader64);
constexpr std::uint64_t most_names = 1 << 20;
// Of a section header.
constexpr std::uint64_t name_at = 0, type_at = 4, offset_at = 24, size_at = 32;
constexpr std::uint32_t type_no_bits = 8;

} // namespace

std::string ElfFile::part(std::uint64_t offset, std::uint64_t count) const {
    if (offset > file_->size || count > file_->size - offset)
        throw Damaged("an ELF that points outside of itself");
    return files_->read(*file_, offset, count);
}

std::optional<ElfFile> ElfFile::open(const Files& files, const File& file) {
    if (file.size < sizeof(elf::Header64))
        return std::nullopt;
    const std::string head = files.read(file, 0, sizeof(elf::Header64));
    elf::Header64 header;
    std::memcpy(&header, head.data(), sizeof header);
    if (header.identification.magic != elf::magic || header.identification.file_class != elf::class_64 ||
        header.identification.data != elf::data_little_endian)
        return std::nullopt;
    ElfFile out(files, file);
    if (header.section_header_count == 0 || header.section_header_entsize != section_bytes)
        return std::nullopt; // without sections there is nothing to be found
    out.sections_ = out.part(header.section_header_offset, header.section_header_count * section_bytes);
    if (header.program_header_count != 0 && header.program_header_entsize == segment_bytes)
        out.segments_ = out.part(header.program_header_offset, header.program_header_count * segment_bytes);
    const std::uint64_t names = header.section_names_index * section_bytes;
    const auto size = bytes::little<std::uint64_t>(out.sections_, names + size_at);
    if (size > most_names)
        throw Damaged("an ELF with too many names of sections");
    out.names_ = out.part(bytes::little<std::uint64_t>(out.sections_, names + offset_at), size);
    return out;
}

std::optional<std::string> ElfFile::section(std::string_view name, std::uint64_t limit) const {
    for (std::uint64_t at = 0; at < sections_.size(); at += section_bytes) {
        const auto name_offset = bytes::little<std::uint32_t>(sections_, at + name_at);
        const std::size_t end = names_.find('\0', name_offset);
        if (name_offset >= names_.size() || end == std::string::npos ||
            std::string_view(names_).substr(name_offset, end - name_offset) != name)
            continue;
        if (bytes::little<std::uint32_t>(sections_, at + type_at) == type_no_bits)
            return std::nullopt;
        const auto size = bytes::little<std::uint64_t>(sections_, at + size_at);
        if (size > limit)
            throw Damaged("the section " + std::string(name) + " is too large");
        return part(bytes::little<std::uint64_t>(sections_, at + offset_at), size);
    }
    return std::nullopt;
}

std::string ElfFile::at_address(std::uint64_t address, std::uint64_t count) const {
    for (std::uint64_t at = 0; at < segments_.size(); at += segment_bytes) {
        elf::ProgramHeader64 segment;
        std::memcpy(&segment, segments_.data() + at, sizeof segment);
        if (segment.type == elf::segment_load && address >= segment.virtual_address &&
            address - segment.virtual_address <= segment.file_size &&
            count <= segment.file_size - (address - segment.virtual_address)) {
            const std::uint64_t into = address - segment.virtual_address;
            if (segment.offset > file_->size || into > file_->size - segment.offset)
                throw Damaged("an ELF that points outside of itself");
            return part(segment.offset + into, count);
        }
    }
    throw Damaged("an address that is not loaded");
}

} // namespace sbom
