// SPDX-License-Identifier: Apache-2.0
#include "image-tools/disk/pe.hpp"

#include "image-tools/diagnostic/diagnostic.hpp"

#include <array>
#include <cstring>
#include <elf.h>

namespace disk {
namespace {

constexpr std::uint32_t file_alignment = 512, section_alignment = 4096;
// What a section holds, and what may be done with it.
constexpr std::uint32_t code = 0x20, data = 0x40, discardable = 0x02000000, execute = 0x20000000,
                        read = 0x40000000, write = 0x80000000;

struct CoffHeader {
    std::array<char, 4> signature{'P', 'E', 0, 0};
    std::uint16_t machine = 0x8664, section_count = 0;
    std::uint32_t time = 0, symbols = 0, symbol_count = 0;
    std::uint16_t optional_bytes = 0, characteristics = 0x22; // executable, knows addresses above 2 GiB
};
static_assert(sizeof(CoffHeader) == 24);

struct Directory {
    std::uint32_t address = 0, bytes = 0;
};
struct OptionalHeader {
    std::uint16_t magic = 0x20b;
    std::array<std::uint8_t, 2> linker{};
    std::uint32_t code_bytes = 0, data_bytes = 0, zero_bytes = 0, entry = 0, code_base = 0;
    std::uint64_t image_base = 0;
    std::uint32_t section_alignment = disk::section_alignment, file_alignment = disk::file_alignment;
    std::array<std::uint16_t, 6> versions{};
    std::uint32_t reserved = 0, image_bytes = 0, header_bytes = 0, checksum = 0;
    std::uint16_t subsystem = 10;              // EFI application
    std::uint16_t dll_characteristics = 0x160; // any address, also above 4 GiB; knows no-execute
    std::array<std::uint64_t, 4> stack_and_heap{};
    std::uint32_t loader_flags = 0, directory_count = 16;
    std::array<Directory, 16> directories{};
};
static_assert(sizeof(OptionalHeader) == 240 && offsetof(OptionalHeader, checksum) == 64);
constexpr std::size_t relocations = 5; // of the directories

struct SectionHeader {
    std::array<char, 8> name{};
    std::uint32_t memory_bytes = 0, address = 0, file_bytes = 0, offset = 0;
    std::array<std::uint32_t, 3> unused{};
    std::uint32_t characteristics = 0;
};
static_assert(sizeof(SectionHeader) == 40);

constexpr std::uint32_t header_at = 64; // after the DOS header

struct Section {
    std::string name, content;
    std::uint32_t memory_bytes = 0, characteristics = 0, address = 0;
};

std::uint32_t up(std::uint64_t value, std::uint32_t alignment) {
    return static_cast<std::uint32_t>((value + alignment - 1) / alignment * alignment);
}

template <typename T> std::optional<T> load(std::string_view bytes, std::uint64_t offset) {
    if (offset > bytes.size() || bytes.size() - offset < sizeof(T))
        return std::nullopt;
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

template <typename T> void append(std::string& to, const T& value) {
    to.append(static_cast<const char*>(static_cast<const void*>(&value)), sizeof value);
}

[[noreturn]] void not_ours() {
    throw diagnostic::fail("E0706", "caisson-efi.elf is not this tool's UEFI loader")
        .help("install caisson again, completely");
}

// The loader's segments at their addresses, which are relative ones (loader/uefi/link.ld).
std::vector<Section> sections_of(std::string_view elf, std::uint32_t& entry) {
    const auto head = load<Elf64_Ehdr>(elf, 0);
    if (!head || std::memcmp(head->e_ident, ELFMAG, SELFMAG) != 0 || head->e_phentsize != sizeof(Elf64_Phdr))
        not_ours();
    std::vector<Section> out;
    for (std::uint64_t i = 0; i < head->e_phnum; ++i) {
        const auto segment = load<Elf64_Phdr>(elf, head->e_phoff + i * sizeof(Elf64_Phdr));
        if (!segment)
            not_ours();
        if (segment->p_type != PT_LOAD || segment->p_memsz == 0)
            continue;
        constexpr std::uint64_t most = 1u << 20;
        if (segment->p_vaddr % section_alignment != 0 || segment->p_vaddr > most || segment->p_memsz > most ||
            segment->p_filesz > segment->p_memsz || segment->p_offset > elf.size() ||
            segment->p_filesz > elf.size() - segment->p_offset)
            not_ours();
        const bool runs = (segment->p_flags & PF_X) != 0, changes = (segment->p_flags & PF_W) != 0;
        out.push_back({runs      ? ".text"
                       : changes ? ".data"
                                 : ".rdata",
                       std::string(elf.substr(segment->p_offset, segment->p_filesz)),
                       static_cast<std::uint32_t>(segment->p_memsz),
                       read | (runs ? code | execute : data) | (changes ? write : 0),
                       static_cast<std::uint32_t>(segment->p_vaddr)});
    }
    if (out.empty() || head->e_entry > 1u << 20)
        not_ours();
    entry = static_cast<std::uint32_t>(head->e_entry);
    return out;
}

std::string wide(std::string_view ascii) {
    std::string out;
    for (const char letter : ascii) {
        out += letter;
        out += '\0';
    }
    return out;
}

std::string generations(const std::string& version) {
    return "sbat,1,SBAT Version,sbat,1,https://github.com/rhboot/shim/blob/main/SBAT.md\n"
           "caisson,1,Caisson,caisson," +
           version + ",https://caisson.invalid/\n";
}

void add(std::vector<Section>& sections, const char* name, std::string content,
         std::uint32_t characteristics) {
    const Section& last = sections.back();
    const auto bytes = static_cast<std::uint32_t>(content.size());
    sections.push_back({name, std::move(content), bytes, characteristics,
                        up(std::uint64_t{last.address} + last.memory_bytes, section_alignment)});
}

} // namespace

std::string efi_application(const Application& parts) {
    OptionalHeader optional;
    std::vector<Section> sections = sections_of(parts.loader, optional.entry);
    add(sections, ".sbat", generations(parts.version), data | read);
    add(sections, ".caisson", parts.hypervisor, data | read);
    if (parts.bundle.empty())
        add(sections, ".path", wide(parts.path), data | read);
    else
        add(sections, ".bundle", parts.bundle, data | read);
    // One block without an entry: some firmware moves no image without relocations.
    std::string nothing_to_move;
    append(nothing_to_move, std::array<std::uint32_t, 3>{sections.front().address, 12, 0});
    add(sections, ".reloc", nothing_to_move, data | read | discardable);
    optional.directories[relocations] = {sections.back().address, sections.back().memory_bytes};

    CoffHeader coff;
    coff.section_count = static_cast<std::uint16_t>(sections.size());
    coff.optional_bytes = sizeof(OptionalHeader);
    optional.header_bytes = up(
        header_at + sizeof coff + sizeof optional + sections.size() * sizeof(SectionHeader), file_alignment);
    optional.code_base = sections.front().address;
    optional.image_bytes =
        up(std::uint64_t{sections.back().address} + sections.back().memory_bytes, section_alignment);
    std::string table, body;
    for (const Section& section : sections) {
        SectionHeader header;
        std::memcpy(header.name.data(), section.name.data(), section.name.size());
        header.memory_bytes = section.memory_bytes;
        header.address = section.address;
        header.file_bytes = up(section.content.size(), file_alignment);
        header.offset = optional.header_bytes + static_cast<std::uint32_t>(body.size());
        header.characteristics = section.characteristics;
        ((section.characteristics & code) != 0 ? optional.code_bytes : optional.data_bytes) +=
            header.file_bytes;
        append(table, header);
        body += section.content;
        body.resize(up(body.size(), file_alignment));
    }

    std::string file(header_at, '\0');
    file[0] = 'M';
    file[1] = 'Z';
    file[0x3c] = static_cast<char>(header_at);
    append(file, coff);
    const std::size_t optional_at = file.size();
    append(file, optional);
    file += table;
    file.resize(optional.header_bytes);
    file += body;
    const std::uint32_t checksum = pe_checksum(file);
    std::memcpy(file.data() + optional_at + offsetof(OptionalHeader, checksum), &checksum, sizeof checksum);
    return file;
}

std::optional<std::string_view> section_of(std::string_view file, std::string_view name) {
    const auto at = load<std::uint32_t>(file, 0x3c);
    const auto coff = at ? load<CoffHeader>(file, *at) : std::nullopt;
    if (!coff || coff->signature != CoffHeader{}.signature)
        return std::nullopt;
    for (std::uint64_t i = 0; i < coff->section_count; ++i) {
        const auto header = load<SectionHeader>(
            file, *at + sizeof(CoffHeader) + std::uint64_t{coff->optional_bytes} + i * sizeof(SectionHeader));
        if (!header)
            return std::nullopt;
        const std::string_view padded(header->name.data(), header->name.size());
        if (padded.substr(0, padded.find('\0')) != name)
            continue;
        const std::uint64_t bytes = std::min(header->memory_bytes, header->file_bytes);
        if (header->offset > file.size() || bytes > file.size() - header->offset)
            return std::nullopt;
        return file.substr(header->offset, bytes);
    }
    return std::nullopt;
}

std::uint32_t pe_checksum(std::string_view file) {
    const auto at = load<std::uint32_t>(file, 0x3c);
    if (!at)
        return 0;
    const std::uint64_t own = *at + sizeof(CoffHeader) + offsetof(OptionalHeader, checksum);
    std::uint64_t sum = 0;
    for (std::uint64_t i = 0; i < file.size(); i += 2) {
        if (i == own || i == own + 2)
            continue;
        std::uint16_t word = static_cast<std::uint8_t>(file[i]);
        if (i + 1 < file.size())
            word = static_cast<std::uint16_t>(word | static_cast<std::uint8_t>(file[i + 1]) << 8);
        sum += word;
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return static_cast<std::uint32_t>(sum + file.size());
}

} // namespace disk
