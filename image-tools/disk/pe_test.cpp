// SPDX-License-Identifier: Apache-2.0
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/disk/authenticode.hpp"
#include "image-tools/disk/pe.hpp"

#include <cstring>
#include <elf.h>
#include <gtest/gtest.h>

namespace {

template <typename T> void put(std::string& bytes, std::size_t at, const T& value) {
    if (bytes.size() < at + sizeof value)
        bytes.resize(at + sizeof value);
    std::memcpy(bytes.data() + at, &value, sizeof value);
}
template <typename T> T get(const std::string& bytes, std::size_t at) {
    T value{};
    EXPECT_LE(at + sizeof value, bytes.size());
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

// Code at 0x1000, entered at 0x1008, and data at 0x2000, of which a part is not in the file.
std::string small_loader() {
    Elf64_Ehdr head{};
    std::memcpy(head.e_ident, ELFMAG, SELFMAG);
    head.e_phoff = sizeof head;
    head.e_phentsize = sizeof(Elf64_Phdr);
    head.e_phnum = 2;
    head.e_entry = 0x1008;
    std::string elf;
    put(elf, 0, head);
    put(elf, sizeof head, Elf64_Phdr{PT_LOAD, PF_R | PF_X, 0x100, 0x1000, 0x1000, 16, 16, 4096});
    put(elf, sizeof head + sizeof(Elf64_Phdr),
        Elf64_Phdr{PT_LOAD, PF_R | PF_W, 0x110, 0x2000, 0x2000, 4, 5000, 4096});
    elf.resize(0x100);
    elf += "code code code! data";
    return elf;
}
disk::Application parts() {
    return {small_loader(), std::string(3000, 'h'), std::string(5001, 'b'), "", "1.2.3"};
}

TEST(Pe, IsAnApplicationForUefi) {
    const std::string file = disk::efi_application(parts());
    ASSERT_EQ(file.substr(0, 2), "MZ");
    const auto at = get<std::uint32_t>(file, 0x3c);
    EXPECT_EQ(file.substr(at, 4), std::string("PE\0\0", 4));
    EXPECT_EQ(get<std::uint16_t>(file, at + 4), 0x8664);
    EXPECT_EQ(get<std::uint32_t>(file, at + 8), 0u); // no time
    const std::size_t optional = at + 24;
    EXPECT_EQ(get<std::uint16_t>(file, optional), 0x20b);
    EXPECT_EQ(get<std::uint32_t>(file, optional + 16), 0x1008u); // entry
    EXPECT_EQ(get<std::uint16_t>(file, optional + 68), 10);      // subsystem
    EXPECT_EQ(get<std::uint32_t>(file, optional + 64), disk::pe_checksum(file));
    EXPECT_EQ(file.size() % 512, 0u);
    // Sections follow each other, in memory by pages and in the file without a gap up to its end.
    const auto count = get<std::uint16_t>(file, at + 6);
    std::uint32_t memory = 0x1000, place = get<std::uint32_t>(file, optional + 60);
    for (std::size_t i = 0; i < count; ++i) {
        const std::size_t header = optional + 240 + i * 40;
        EXPECT_EQ(get<std::uint32_t>(file, header + 12), memory) << i;
        EXPECT_EQ(get<std::uint32_t>(file, header + 20), place) << i;
        memory += (get<std::uint32_t>(file, header + 8) + 4095) / 4096 * 4096;
        place += get<std::uint32_t>(file, header + 16);
    }
    EXPECT_EQ(place, file.size());
    EXPECT_EQ(get<std::uint32_t>(file, optional + 56), memory); // image size
}

TEST(Pe, HoldsWhatItIsMadeOf) {
    const std::string file = disk::efi_application(parts());
    EXPECT_EQ(disk::section_of(file, ".text"), "code code code! ");
    EXPECT_EQ(disk::section_of(file, ".data")->substr(0, 5),
              std::string("data\0", 5)); // the rest of its block is zero
    EXPECT_EQ(disk::section_of(file, ".caisson"), std::string(3000, 'h'));
    EXPECT_EQ(disk::section_of(file, ".bundle"), std::string(5001, 'b'));
    EXPECT_FALSE(disk::section_of(file, ".path"));
    EXPECT_NE(disk::section_of(file, ".sbat")->find("caisson,1,Caisson,caisson,1.2.3,"), std::string::npos);
    disk::Application named = parts();
    named.bundle.clear();
    named.path = "\\EFI\\a";
    EXPECT_EQ(disk::section_of(disk::efi_application(named), ".path"),
              std::string("\\\0E\0F\0I\0\\\0a\0", 12));
    EXPECT_EQ(file, disk::efi_application(parts()));
}

TEST(Pe, TheChecksumIsThatOfTheSpecification) {
    // By hand: words 0x0201 and 0x0003, carried, plus 5 bytes; a file without a header has no field to leave out.
    std::string file(0x40, '\0');
    file[0x3c] = static_cast<char>(0xff); // a header far after the end
    EXPECT_EQ(disk::pe_checksum(file + std::string("\x01\x02\x03", 3)), 0x00ffu + 0x0201u + 0x0003u + 0x43u);
    EXPECT_EQ(disk::pe_checksum(file + std::string(2, '\xff')),
              0x00ffu + 0x42u); // 0xff + 0xffff carries around
}

TEST(Pe, RefusesALoaderThatIsNone) {
    for (const auto& change : std::vector<void (*)(std::string&)>{
             [](std::string& elf) { elf[0] = 'x'; },
             [](std::string& elf) { elf.resize(sizeof(Elf64_Ehdr) + 8); },
             [](std::string& elf) { elf.resize(0x108); }, // a segment is cut
             [](std::string& elf) {
                 put<std::uint64_t>(elf, sizeof(Elf64_Ehdr) + 16, 0x1001);
             }, // not at a page
             [](std::string& elf) { put<std::uint64_t>(elf, sizeof(Elf64_Ehdr) + 40, 1u << 30); },
         }) {
        disk::Application bad = parts();
        change(bad.loader);
        EXPECT_THROW((void)disk::efi_application(bad), diagnostic::Failure);
    }
}

TEST(Pe, SectionsOfAnythingElseAreNone) {
    const std::string file = disk::efi_application(parts());
    for (std::size_t cut = 0; cut < 1024; ++cut)
        EXPECT_FALSE(disk::section_of(std::string_view(file).substr(0, cut), ".bundle")) << cut;
}

// All of it but the checksum and the entry of the signature: those may change, nothing else may.
TEST(Authenticode, HashesEveryByteThatIsRead) {
    const std::string file = disk::efi_application(parts());
    const auto header = get<std::uint32_t>(file, 0x3c);
    const files::Digest digest = disk::authenticode_digest(file);
    for (std::size_t at = 0; at < file.size(); ++at) {
        if (at >= 0x3c && at < 0x40)
            continue; // where the header is
        const bool left_out =
            (at >= header + 88 && at < header + 92) || (at >= header + 168 && at < header + 176);
        if (at > 1024 && at % 97 != 0)
            continue;
        std::string changed = file;
        changed[at] = static_cast<char>(changed[at] ^ 1);
        if (at >= header + 168 && at < header + 172)
            continue; // it says where what is hashed ends
        EXPECT_EQ(disk::authenticode_digest(changed) == digest, left_out) << at;
    }
}

} // namespace
