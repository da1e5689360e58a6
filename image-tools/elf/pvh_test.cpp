// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/bytes/reader.hpp"
#include "image-tools/elf/pvh.hpp"
#include "partitions/formats/elf.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace {

using namespace elf;
using Bytes = std::vector<std::byte>;

struct Note {
    NoteHeader header{4, 4, note_phys32_entry};
    std::array<char, 4> owner{'X', 'e', 'n', 0};
    std::uint32_t entry = 0x100010;
};

// A file with program headers at 64 (or 52), a note at 0x800 and contents from 0x1000.
struct File {
    Header64 header{};
    std::vector<ProgramHeader64> program{{segment_load, 5, 0x1000, 0, 0x100000, 0x200, 0x300, 0x1000},
                                         {segment_note, 4, 0x800, 0, 0, sizeof(Note), sizeof(Note), 4},
                                         {segment_load, 6, 0x1200, 0, 0x200000, 0, 0x5000, 0x1000}};
    Note note;
    std::size_t size = 0x2000;

    File() {
        header.identification = {magic, class_64, data_little_endian, version_current, 0, {}};
        header.type = type_executable;
        header.machine = machine_x86_64;
        header.version = version_current;
        header.program_header_offset = sizeof(Header64);
        header.header_size = sizeof(Header64);
        header.program_header_entsize = sizeof(ProgramHeader64);
    }
    Bytes bytes() {
        Bytes out(size);
        header.program_header_count = static_cast<std::uint16_t>(program.size());
        EXPECT_TRUE(bytes::store(std::span{out}, 0, header));
        for (std::size_t i = 0; i < program.size(); ++i)
            (void)bytes::store(std::span{out}, sizeof(Header64) + i * sizeof(ProgramHeader64), program[i]);
        (void)bytes::store(std::span{out}, 0x800, note);
        return out;
    }
};

TEST(Pvh, ReadsSegmentsInOrder) {
    File file;
    std::swap(file.program[0], file.program[2]);
    const auto bytes = file.bytes();
    const auto kernel = parse_pvh(bytes::Source{bytes});
    ASSERT_TRUE(kernel.ok()) << describe(kernel.error());
    EXPECT_TRUE(kernel->is_64);
    EXPECT_EQ(kernel->entry, 0x100010u);
    EXPECT_EQ(kernel->lowest, 0x100000u);
    EXPECT_EQ(kernel->end, 0x205000u);
    ASSERT_EQ(kernel->segments.size(), 2u);
    EXPECT_EQ(kernel->segments[0].file_offset, 0x1000u);
    EXPECT_EQ(kernel->segments[0].file_size, 0x200u);
    EXPECT_EQ(kernel->segments[0].memory_size, 0x300u);
    EXPECT_EQ(kernel->segments[1].file_size, 0u);
}

TEST(Pvh, Reads32BitFiles) {
    Bytes out(0x2000);
    Header32 header{};
    header.identification = {magic, class_32, data_little_endian, version_current, 0, {}};
    header.type = type_executable;
    header.machine = machine_386;
    header.version = version_current;
    header.program_header_offset = sizeof(Header32);
    header.program_header_entsize = sizeof(ProgramHeader32);
    header.program_header_count = 2;
    ASSERT_TRUE(bytes::store(std::span{out}, 0, header));
    const ProgramHeader32 load{segment_load, 0x1000, 0, 0x100000, 0x80, 0x80, 5, 4096};
    const ProgramHeader32 note{segment_note, 0x800, 0, 0, sizeof(Note), sizeof(Note), 4, 4};
    ASSERT_TRUE(bytes::store(std::span{out}, sizeof(Header32), load));
    ASSERT_TRUE(bytes::store(std::span{out}, sizeof(Header32) + sizeof(ProgramHeader32), note));
    ASSERT_TRUE(bytes::store(std::span{out}, 0x800, Note{}));
    const auto kernel = parse_pvh(bytes::Source{out});
    ASSERT_TRUE(kernel.ok()) << describe(kernel.error());
    EXPECT_FALSE(kernel->is_64);
    EXPECT_EQ(kernel->entry, 0x100010u);
    EXPECT_EQ(kernel->end, 0x100080u);
}

TEST(Pvh, SkipsOtherNotesAndTakesLongEntries) {
    File file;
    Bytes notes;
    const auto add = [&notes](const auto& value) {
        const auto raw = bytes::of(value);
        notes.insert(notes.end(), raw.begin(), raw.end());
    };
    add(NoteHeader{4, 5, 3});
    add(std::array<char, 4>{'G', 'N', 'U', 0});
    add(std::array<char, 8>{});
    add(NoteHeader{3, 0, note_phys32_entry}); // another owner
    add(std::array<char, 4>{'X', 'e', 'n', 0});
    add(NoteHeader{4, 8, note_phys32_entry});
    add(std::array<char, 4>{'X', 'e', 'n', 0});
    add(std::uint64_t{0x200004});
    add(std::uint32_t{0});
    file.program[1].file_size = notes.size();
    auto out = file.bytes();
    std::copy(notes.begin(), notes.end(), out.begin() + 0x800);
    const auto kernel = parse_pvh(bytes::Source{out});
    ASSERT_TRUE(kernel.ok()) << describe(kernel.error());
    EXPECT_EQ(kernel->entry, 0x200004u);
}

TEST(Pvh, Refusals) {
    struct Case {
        const char* name;
        Error error;
        std::function<void(File&)> change;
    };
    const std::vector<Case> cases{
        {"magic", Error::not_elf, [](File& f) { f.header.identification.magic[0] = 0; }},
        {"class", Error::unsupported, [](File& f) { f.header.identification.file_class = 3; }},
        {"big endian", Error::unsupported, [](File& f) { f.header.identification.data = 2; }},
        {"ident version", Error::unsupported, [](File& f) { f.header.identification.version = 2; }},
        {"version", Error::unsupported, [](File& f) { f.header.version = 0; }},
        {"machine", Error::unsupported, [](File& f) { f.header.machine = 183; }},
        {"shared", Error::not_executable, [](File& f) { f.header.type = type_shared; }},
        {"entry size", Error::bad_program_headers, [](File& f) { f.header.program_header_entsize = 32; }},
        {"no headers", Error::bad_program_headers, [](File& f) { f.program.clear(); }},
        {"many headers", Error::bad_program_headers, [](File& f) { f.program.resize(65); }},
        {"table outside", Error::bad_program_headers,
         [](File& f) { f.header.program_header_offset = 0x1FF0; }},
        {"table far", Error::bad_program_headers,
         [](File& f) { f.header.program_header_offset = ~std::uint64_t{0}; }},
        {"outside", Error::segment_outside_file, [](File& f) { f.program[0].offset = 0x1F00; }},
        {"wraps", Error::segment_outside_file, [](File& f) { f.program[0].offset = ~std::uint64_t{0}; }},
        {"file > memory", Error::segment_outside_file, [](File& f) { f.program[0].memory_size = 0x1FF; }},
        {"note outside", Error::segment_outside_file, [](File& f) { f.program[1].offset = 0x1FFF; }},
        {"high", Error::segment_above_4gib, [](File& f) { f.program[2].physical_address = 0xFFFFC000; }},
        {"wraps up", Error::segment_above_4gib,
         [](File& f) { f.program[2].memory_size = ~std::uint64_t{0}; }},
        {"overlap before", Error::segments_overlap,
         [](File& f) { f.program[2].physical_address = 0x1002FF; }},
        {"overlap after", Error::segments_overlap, [](File& f) { f.program[2].physical_address = 0xFF001; }},
        {"same place", Error::segments_overlap, [](File& f) { f.program[2].physical_address = 0x100000; }},
        {"nothing", Error::no_segments, [](File& f) { f.program[0].type = f.program[2].type = 0; }},
        {"no note", Error::no_pvh_note, [](File& f) { f.program[1].type = 0; }},
        {"other type", Error::no_pvh_note, [](File& f) { f.note.header.type = 17; }},
        {"other owner", Error::no_pvh_note, [](File& f) { f.note.owner[0] = 'Y'; }},
        {"name size", Error::bad_note, [](File& f) { f.note.header.name_size = 0xFFFFFFFF; }},
        {"descriptor size", Error::bad_note, [](File& f) { f.note.header.descriptor_size = 5; }},
        {"odd descriptor", Error::bad_note, [](File& f) { f.note.header.descriptor_size = 2; }},
        {"two notes", Error::bad_note, [](File& f) { f.program.push_back(f.program[1]); }},
        {"large notes", Error::bad_note,
         [](File& f) { f.size = 0x20000, f.program[1].file_size = max_note_bytes + 1; }},
        {"entry", Error::entry_outside, [](File& f) { f.note.entry = 0x100300; }},
        {"entry low", Error::entry_outside, [](File& f) { f.note.entry = 0; }},
        {"short", Error::not_elf, [](File&) {}},
    };
    for (const Case& item : cases) {
        File file;
        item.change(file);
        auto bytes = file.bytes();
        if (std::string_view{item.name} == "short")
            bytes.resize(40);
        const auto kernel = parse_pvh(bytes::Source{bytes});
        ASSERT_FALSE(kernel.ok()) << item.name;
        EXPECT_EQ(kernel.error(), item.error) << item.name << ": " << describe(kernel.error());
    }
}

TEST(Pvh, TooManySegments) {
    File file;
    for (std::uint64_t i = 0; i < 16; ++i)
        file.program.push_back({segment_load, 6, 0x1200, 0, 0x300000 + i * 0x1000, 0, 0x1000, 0x1000});
    file.note.entry = 0x100000;
    auto out = file.bytes();
    EXPECT_EQ(parse_pvh(bytes::Source{out}).error(), Error::too_many_segments);
}

TEST(Pvh, EveryPrefixIsRefusedNotRead) {
    File file;
    file.size = 0x1200;
    const auto bytes = file.bytes();
    ASSERT_TRUE(parse_pvh(bytes::Source{bytes}).ok());
    for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Bytes part(bytes.begin(), bytes.begin() + static_cast<long>(size));
        EXPECT_FALSE(parse_pvh(bytes::Source{part}).ok()) << size;
    }
    const auto blind = [](std::uint64_t, std::size_t) { return std::span<const std::byte>{}; };
    EXPECT_EQ(parse_pvh(bytes::Source{blind, 5000}).error(), Error::unreadable);
}

} // namespace
