// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/exec/program.cpp - see program.hpp.
#include "partitions/unikernel/exec/program.hpp"

#include "hypervisor/base/address.hpp"
#include "partitions/formats/elf.hpp"
#include "partitions/unikernel/mm/user.hpp"
#include "partitions/unikernel/mm/vma.hpp"

#include <cstring>
#include <optional>

namespace uk::exec {

namespace {

constexpr std::uint32_t segment_interpreter = 3, segment_headers = 6, segment_stack = 0x6474e551;
constexpr std::uint32_t flag_execute = 1, flag_write = 2, flag_read = 4;
constexpr std::uint64_t interpreter_bytes_max = 4096;
constexpr std::size_t script_line_max = 255;

constexpr base::Failure<Errno> not_executable{Errno::noexec};

template <typename T> std::optional<T> load(std::span<const std::byte> bytes, std::uint64_t offset) {
    if (offset > bytes.size() || sizeof(T) > bytes.size() - offset)
        return std::nullopt;
    T value{};
    std::memcpy(&value, bytes.data() + offset, sizeof(T));
    return value;
}

Status add_segment(Program& program, const elf::ProgramHeader64& header) {
    if (header.memory_size == 0)
        return base::success;
    std::uint64_t end = 0, file_end = 0;
    if (header.file_size > header.memory_size ||
        __builtin_add_overflow(header.virtual_address, header.memory_size, &end) || end > mm::user_end ||
        __builtin_add_overflow(header.offset, header.file_size, &file_end) ||
        (header.virtual_address - header.offset) % base::page_size != 0)
        return not_executable;
    if (!program.segments.empty()) {
        const std::uint64_t before = program.end();
        if (base::round_down(header.virtual_address, base::page_size) < before &&
            base::round_down(header.virtual_address, base::page_size) <
                *base::round_up(before, base::page_size))
            return not_executable;
    }
    ProgramSegment segment;
    segment.address = header.virtual_address;
    segment.offset = header.offset;
    segment.file_bytes = header.file_size;
    segment.memory_bytes = header.memory_size;
    segment.protection =
        static_cast<std::uint8_t>(((header.flags & flag_read) != 0 ? mm::protection::read : 0) |
                                  ((header.flags & flag_write) != 0 ? mm::protection::write : 0) |
                                  ((header.flags & flag_execute) != 0 ? mm::protection::execute : 0));
    if ((header.alignment & (header.alignment - 1)) == 0 && header.alignment > program.alignment &&
        header.alignment <= base::huge_page_size)
        program.alignment = header.alignment;
    if (!program.segments.push_back(segment))
        return not_executable;
    return base::success;
}

// Where the program headers are in memory, for AT_PHDR.
void find_headers(Program& program, const elf::Header64& header) {
    for (const ProgramSegment& segment : program.segments)
        if (program.headers_address == 0 && segment.offset <= header.program_header_offset &&
            header.program_header_offset < segment.offset + segment.file_bytes)
            program.headers_address = segment.address + (header.program_header_offset - segment.offset);
}

} // namespace

Result<Program> parse_program(std::span<const std::byte> head) {
    const auto header = load<elf::Header64>(head, 0);
    if (!header || header->identification.magic != elf::magic ||
        header->identification.file_class != elf::class_64 ||
        header->identification.data != elf::data_little_endian || header->machine != elf::machine_x86_64 ||
        (header->type != elf::type_executable && header->type != elf::type_shared) ||
        header->program_header_entsize != sizeof(elf::ProgramHeader64) || header->program_header_count == 0)
        return not_executable;
    Program program;
    program.position_independent = header->type == elf::type_shared;
    program.entry = header->entry;
    program.header_count = header->program_header_count;
    for (std::uint64_t i = 0; i < header->program_header_count; ++i) {
        const auto entry = load<elf::ProgramHeader64>(head, header->program_header_offset +
                                                                i * sizeof(elf::ProgramHeader64));
        if (!entry || header->program_header_offset > program_head_bytes)
            return not_executable;
        switch (entry->type) {
        case elf::segment_load:
            CAISSON_TRY(add_segment(program, *entry));
            break;
        case segment_interpreter:
            if (entry->file_size < 2 || entry->file_size > interpreter_bytes_max)
                return not_executable;
            program.interpreter_offset = entry->offset;
            program.interpreter_bytes = entry->file_size;
            break;
        case segment_headers:
            program.headers_address = entry->virtual_address;
            break;
        case segment_stack:
            program.executable_stack = (entry->flags & flag_execute) != 0;
            break;
        default:
            break;
        }
    }
    if (program.segments.empty() || program.entry >= mm::user_end)
        return not_executable;
    find_headers(program, *header);
    return program;
}

Result<Script> parse_script(std::span<const std::byte> head) {
    const std::string_view text{reinterpret_cast<const char*>(head.data()), head.size()};
    if (!text.starts_with("#!"))
        return not_executable;
    const std::size_t end = text.substr(0, script_line_max + 1).find('\n');
    if (end == std::string_view::npos && text.size() > script_line_max)
        return not_executable;
    std::string_view line = text.substr(2, end == std::string_view::npos ? end : end - 2);
    constexpr std::string_view blanks = " \t";
    const auto trim = [&](std::string_view& part) {
        part.remove_prefix(std::min(part.find_first_not_of(blanks), part.size()));
        part = part.substr(0, part.find_last_not_of(blanks) + 1);
    };
    trim(line);
    if (line.empty() || line.find('\0') != std::string_view::npos)
        return not_executable;
    Script script;
    const std::size_t blank = line.find_first_of(blanks);
    script.interpreter = line.substr(0, blank);
    if (blank != std::string_view::npos) {
        script.argument = line.substr(blank);
        trim(script.argument);
    }
    return script;
}

} // namespace uk::exec
