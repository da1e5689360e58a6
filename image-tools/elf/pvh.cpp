// SPDX-License-Identifier: Apache-2.0
// image-tools/elf/pvh.cpp
#include "image-tools/elf/pvh.hpp"

#include "hypervisor/core/bytes/checked.hpp"
#include "partitions/formats/elf.hpp"

#include <algorithm>

namespace elf {

namespace {

constexpr std::uint64_t four_gibibytes = std::uint64_t{1} << 32;
constexpr std::array<char, 4> xen_owner{'X', 'e', 'n', '\0'};

// What is used of a header and of a program header, of either class.
struct FileHeader {
    std::uint16_t type;
    std::uint64_t table_offset;
    std::uint16_t entry_size;
    std::uint16_t count;
    bool is_64;
};
struct ProgramHeader {
    std::uint32_t type;
    std::uint64_t offset;
    std::uint64_t physical_address;
    std::uint64_t file_size;
    std::uint64_t memory_size;
    std::uint64_t alignment;
};

template <typename Header>
base::Result<FileHeader, Error> file_header(const bytes::Source& file, bool is_64) {
    if (file.size() < sizeof(Header))
        return base::Failure{Error::not_elf};
    const auto header = file.load<Header>(0);
    if (!header)
        return base::Failure{Error::unreadable};
    if (header->version != version_current || header->machine != (is_64 ? machine_x86_64 : machine_386))
        return base::Failure{Error::unsupported};
    return FileHeader{header->type, header->program_header_offset, header->program_header_entsize,
                      header->program_header_count, is_64};
}

base::Result<FileHeader, Error> read_file_header(const bytes::Source& file) {
    if (file.size() < sizeof(Identification))
        return base::Failure{Error::not_elf};
    const auto identification = file.load<Identification>(0);
    if (!identification)
        return base::Failure{Error::unreadable};
    if (identification->magic != magic)
        return base::Failure{Error::not_elf};
    if (identification->data != data_little_endian || identification->version != version_current)
        return base::Failure{Error::unsupported};
    if (identification->file_class == class_64)
        return file_header<Header64>(file, true);
    if (identification->file_class == class_32)
        return file_header<Header32>(file, false);
    return base::Failure{Error::unsupported};
}

template <typename Entry>
base::Result<ProgramHeader, Error> program_header(const bytes::Source& file, std::uint64_t offset) {
    const auto entry = file.load<Entry>(offset);
    if (!entry)
        return base::Failure{Error::unreadable};
    return ProgramHeader{entry->type,      entry->offset,      entry->physical_address,
                         entry->file_size, entry->memory_size, entry->alignment};
}

base::Status<Error> add_segment(PvhKernel& kernel, const bytes::Source& file, const ProgramHeader& header) {
    if (header.memory_size == 0 && header.file_size == 0)
        return base::success;
    if (header.file_size > header.memory_size ||
        !bytes::lies_within(header.offset, header.file_size, file.size()))
        return base::Failure{Error::segment_outside_file};
    if (!bytes::lies_within(header.physical_address, header.memory_size, four_gibibytes))
        return base::Failure{Error::segment_above_4gib};
    const Segment segment{header.offset, header.file_size, header.physical_address, header.memory_size};
    std::size_t at = 0;
    while (at < kernel.segments.size() && kernel.segments[at].physical_address < segment.physical_address)
        ++at;
    const auto end = [](const Segment& s) { return s.physical_address + s.memory_size; };
    if ((at > 0 && end(kernel.segments[at - 1]) > segment.physical_address) ||
        (at < kernel.segments.size() && end(segment) > kernel.segments[at].physical_address))
        return base::Failure{Error::segments_overlap};
    if (!kernel.segments.insert(at, segment))
        return base::Failure{Error::too_many_segments};
    return base::success;
}

// One note at `at` (inside `notes`); advances `at` past it.
base::Status<Error> read_note(const bytes::Source& notes, std::uint64_t alignment, std::uint64_t& at,
                              std::optional<std::uint64_t>& entry) {
    const auto header = notes.load<NoteHeader>(at);
    if (!header)
        return base::Failure{Error::bad_note};
    const auto padded = [alignment](std::uint64_t size) { return bytes::units(size, alignment) * alignment; };
    const std::uint64_t name = at + sizeof(NoteHeader);
    const std::uint64_t descriptor = name + padded(header->name_size);
    if (!bytes::lies_within(name, header->name_size, notes.size()) ||
        !bytes::lies_within(descriptor, header->descriptor_size, notes.size()))
        return base::Failure{Error::bad_note};
    at = descriptor + padded(header->descriptor_size);
    if (header->type != note_phys32_entry || header->name_size != xen_owner.size() ||
        notes.load<std::array<char, xen_owner.size()>>(name) != xen_owner)
        return base::success;
    if (entry)
        return base::Failure{Error::bad_note};
    if (header->descriptor_size == sizeof(std::uint32_t))
        entry = notes.load<std::uint32_t>(descriptor);
    else if (header->descriptor_size == sizeof(std::uint64_t))
        entry = notes.load<std::uint64_t>(descriptor);
    return entry ? base::Status<Error>{base::success} : base::Failure{Error::bad_note};
}

base::Status<Error> read_notes(const bytes::Source& file, const ProgramHeader& header,
                               std::optional<std::uint64_t>& entry) {
    const auto notes = file.slice(header.offset, header.file_size);
    if (!notes)
        return base::Failure{Error::segment_outside_file};
    if (notes->size() > max_note_bytes)
        return base::Failure{Error::bad_note};
    const std::uint64_t alignment = header.alignment == 8 ? 8 : 4;
    // A tail shorter than a note's header is padding.
    for (std::uint64_t at = 0; at + sizeof(NoteHeader) <= notes->size();)
        CAISSON_TRY(read_note(*notes, alignment, at, entry));
    return base::success;
}

base::Status<Error> check_entry(PvhKernel& kernel, const std::optional<std::uint64_t>& entry) {
    if (kernel.segments.empty())
        return base::Failure{Error::no_segments};
    if (!entry)
        return base::Failure{Error::no_pvh_note};
    const Segment& last = kernel.segments[kernel.segments.size() - 1];
    kernel.lowest = kernel.segments[0].physical_address;
    kernel.end = last.physical_address + last.memory_size;
    for (const Segment& segment : kernel.segments)
        if (*entry >= segment.physical_address && *entry - segment.physical_address < segment.memory_size) {
            kernel.entry = static_cast<std::uint32_t>(*entry);
            return base::success;
        }
    return base::Failure{Error::entry_outside};
}

} // namespace

base::Result<PvhKernel, Error> parse_pvh(const bytes::Source& file) {
    const FileHeader header = CAISSON_TRY(read_file_header(file));
    if (header.type != type_executable)
        return base::Failure{Error::not_executable};
    const std::size_t entry_size = header.is_64 ? sizeof(ProgramHeader64) : sizeof(ProgramHeader32);
    if (header.entry_size != entry_size || header.count == 0 || header.count > max_program_headers ||
        !bytes::lies_within(header.table_offset, entry_size * header.count, file.size()))
        return base::Failure{Error::bad_program_headers};
    PvhKernel kernel{};
    kernel.is_64 = header.is_64;
    std::optional<std::uint64_t> entry;
    for (std::uint64_t i = 0; i < header.count; ++i) {
        const std::uint64_t offset = header.table_offset + i * entry_size;
        const ProgramHeader item = CAISSON_TRY(header.is_64 ? program_header<ProgramHeader64>(file, offset)
                                                            : program_header<ProgramHeader32>(file, offset));
        if (item.type == segment_load)
            CAISSON_TRY(add_segment(kernel, file, item));
        else if (item.type == segment_note)
            CAISSON_TRY(read_notes(file, item, entry));
    }
    CAISSON_TRY(check_entry(kernel, entry));
    return kernel;
}

const char* describe(Error error) {
    switch (error) {
    case Error::not_elf:
        return "is not an ELF file";
    case Error::unsupported:
        return "is not a little-endian x86 ELF file";
    case Error::not_executable:
        return "is not an executable with fixed addresses (ET_EXEC)";
    case Error::bad_program_headers:
        return "has malformed program headers";
    case Error::too_many_segments:
        return "has too many segments to load";
    case Error::segment_outside_file:
        return "has a segment that does not lie inside the file";
    case Error::segment_above_4gib:
        return "has a segment that does not lie below 4 GiB";
    case Error::segments_overlap:
        return "has segments that overlap in memory";
    case Error::no_segments:
        return "has nothing to load";
    case Error::bad_note:
        return "has a malformed note";
    case Error::no_pvh_note:
        return "has no PVH entry point (note XEN_ELFNOTE_PHYS32_ENTRY)";
    case Error::entry_outside:
        return "has a PVH entry point outside its segments";
    case Error::unreadable:
        return "cannot be read";
    }
    return "is unusable";
}

} // namespace elf
