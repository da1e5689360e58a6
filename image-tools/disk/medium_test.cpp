// SPDX-License-Identifier: Apache-2.0
// What build writes is found again; every byte of the structures that is changed is noticed or does no harm.
#include "image-tools/diagnostic/diagnostic.hpp"
#include "image-tools/disk/fat32.hpp"
#include "image-tools/disk/iso.hpp"
#include "image-tools/disk/medium.hpp"
#include "image-tools/files/atomic_file.hpp"

#include <gtest/gtest.h>
#include <random>
#include <unistd.h>

namespace {

using namespace disk;

// A PE file with the sections that count, as small as can be: headers, section table, contents.
std::string program(const std::vector<std::pair<std::string, std::string>>& sections) {
    std::string out(64 + 24 + 240 + sections.size() * 40, '\0');
    out.replace(0, 2, "MZ");
    put<std::uint32_t>(out, 0x3c, 64);
    out.replace(64, 2, "PE");
    put<std::uint16_t>(out, 64 + 6, static_cast<std::uint16_t>(sections.size()));
    put<std::uint16_t>(out, 64 + 20, 240);
    for (std::size_t i = 0; i < sections.size(); ++i) {
        const std::size_t header = 64 + 24 + 240 + i * 40;
        const auto& [name, content] = sections[i];
        out.replace(header, name.size(), name);
        put(out, header + 8, static_cast<std::uint32_t>(content.size()));
        put(out, header + 16, static_cast<std::uint32_t>(content.size()));
        put(out, header + 20, static_cast<std::uint32_t>(out.size()));
        out += content;
    }
    return out;
}
std::string wide(const std::string& text) {
    std::string out;
    for (const char letter : text) {
        out += letter;
        out += '\0';
    }
    return out;
}
const std::string starter =
    program({{".caisson", "hypervisor"}, {".path", wide("\\EFI\\caisson\\some gateway.bundle")}});
const std::string bundle_bytes = std::string(70'000, 'b') + "end";

struct Written {
    std::string bytes;
    std::uint64_t volume_at = 0;
};
Written medium(MediumKind kind, std::uint64_t data_bytes = 0) {
    const FatVolume volume = fat32_volume({{{"EFI", "BOOT", "BOOTX64.EFI"}, starter.size()},
                                           {{"EFI", "caisson", "some gateway.bundle"}, bundle_bytes.size()}},
                                          0, 1, 2048);
    Written out;
    std::vector<Piece> around;
    if (kind == MediumKind::cd) {
        IsoImage image = iso_image(volume.bytes);
        out = {std::string(image.bytes, '\0'), image.place};
        around = std::move(image.pieces);
    } else {
        GptDisk image = gpt_disk({volume.bytes, data_bytes, Guid{1}, Guid{2}, Guid{3}});
        out = {std::string(image.bytes, '\0'), first_partition_at};
        around = std::move(image.pieces);
    }
    for (const Piece& piece : around)
        out.bytes.replace(piece.offset, piece.bytes.size(), piece.bytes);
    for (const Piece& piece : volume.pieces)
        out.bytes.replace(out.volume_at + piece.offset, piece.bytes.size(), piece.bytes);
    out.bytes.replace(out.volume_at + volume.places[0], starter.size(), starter);
    out.bytes.replace(out.volume_at + volume.places[1], bundle_bytes.size(), bundle_bytes);
    return out;
}

files::FileRange range_of(const std::string& bytes) {
    files::FileRange out{files::FileRange::temporary(), "medium", 0, bytes.size()};
    files::write_all(out.file->get(), files::bytes_of(bytes), out.name);
    return out;
}
std::string read(const files::FileRange& range) {
    std::string out(range.size, '\0');
    std::vector<std::uint8_t> buffer(range.size);
    (void)range.read(0, buffer);
    return {buffer.begin(), buffer.end()};
}
std::string refusal(const files::FileRange& file) {
    try {
        const auto found = open_medium(file);
        return found ? "" : "nothing";
    } catch (const diagnostic::Failure& failure) {
        return failure.diagnostic().code + " " + failure.diagnostic().message;
    }
}

std::string refusal(const std::string& bytes) {
    return refusal(range_of(bytes));
}

TEST(Medium, WhatWasWrittenIsFound) {
    for (const MediumKind kind : {MediumKind::disk, MediumKind::cd}) {
        const auto found = open_medium(range_of(medium(kind).bytes));
        ASSERT_TRUE(found);
        EXPECT_EQ(found->kind, kind);
        EXPECT_EQ(read(found->application), starter);
        EXPECT_EQ(read(found->bundle), bundle_bytes);
        if (kind == MediumKind::disk) {
            EXPECT_EQ(found->layout.disk, Guid{1});
            EXPECT_EQ(found->layout.system, Guid{2});
            EXPECT_EQ(found->layout.data_bytes, 0u);
            EXPECT_EQ(found->partition.offset, first_partition_at);
        }
    }
}

TEST(Medium, ADataPartitionIsFoundWhereItWasPut) {
    const std::uint64_t data_bytes = 3 << 20;
    const Written good = medium(MediumKind::disk, data_bytes);
    const auto found = open_medium(range_of(good.bytes));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->layout.data, Guid{3});
    EXPECT_EQ(found->layout.data_bytes, data_bytes);
    EXPECT_EQ(found->layout.data_at() % (1 << 20), 0u);
    EXPECT_EQ(read(found->bundle), bundle_bytes);
    constexpr std::size_t entry = 1024 + 128; // the second one
    std::string elsewhere = good.bytes;
    elsewhere[entry + 33] = static_cast<char>(elsewhere[entry + 33] + 1);
    EXPECT_NE(refusal(elsewhere).find("partition table is not as it was written"), std::string::npos);
    std::string backwards = good.bytes;
    backwards.replace(entry + 40, 8, std::string("\1\0\0\0\0\0\0\0", 8));
    EXPECT_NE(refusal(backwards).find("its data partition ends before it begins"), std::string::npos);
    std::string huge = good.bytes;
    huge.replace(entry + 40, 8, std::string(8, '\xff'));
    EXPECT_NE(refusal(huge).find("beyond 512 TiB"), std::string::npos);
}

TEST(Medium, AnApplicationHoldsItsBundle) {
    const auto found = open_medium(range_of(program({{".caisson", "x"}, {".bundle", bundle_bytes}})));
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, MediumKind::application);
    EXPECT_EQ(read(found->bundle), bundle_bytes);
    EXPECT_NE(refusal(starter).find("verify the .img"), std::string::npos);
    EXPECT_NE(refusal(program({{".text", "x"}})).find("no UEFI application of caisson's"), std::string::npos);
}

TEST(Medium, WhatIsNoneIsNone) {
    EXPECT_EQ(refusal(""), "nothing");
    EXPECT_EQ(refusal("CAISSON bundle"), "nothing");
    EXPECT_EQ(refusal(std::string(1 << 20, '\0')), "nothing");
}

TEST(Medium, DamageIsNamed) {
    const Written good = medium(MediumKind::disk);
    EXPECT_NE(refusal(good.bytes.substr(0, good.bytes.size() / 2)).find("E0424"), std::string::npos);
    for (const std::size_t bytes : {520, 600, 1024, 1030, 1100})
        EXPECT_NE(refusal(good.bytes.substr(0, bytes)).find("ends within its partition table"),
                  std::string::npos)
            << bytes;
    std::string no_table = good.bytes;
    no_table[good.bytes.size() - 512] = 'e'; // the header at the end
    EXPECT_NE(refusal(no_table).find("partition table is not as it was written"), std::string::npos);
    std::string no_bundle = good.bytes;
    const std::size_t entry = no_bundle.find(wide("some ").substr(0, 10), good.volume_at);
    ASSERT_NE(entry, std::string::npos);
    no_bundle[entry] = 'x';
    EXPECT_NE(refusal(no_bundle).find("no EFI/caisson/some gateway.bundle on it"), std::string::npos);
}

// Folders that go in circles, chains that leave the volume, sizes beyond it: an answer in bounded time, never a crash.
TEST(Medium, NoStructureLeadsAstray) {
    const Written good = medium(MediumKind::disk);
    std::mt19937 random(1);
    std::size_t refused = 0;
    const std::uint64_t interesting =
        2 << 20; // boot sector, tables and folders lie in the first bytes of the volume
    std::vector<std::size_t> places;
    for (std::size_t at = good.volume_at; at < good.volume_at + interesting; ++at)
        if (good.bytes[at] != 0 && good.bytes[at] != 'b')
            places.push_back(at);
    const files::FileRange file = range_of(good.bytes);
    const auto put_byte = [&](std::size_t at, char byte) {
        EXPECT_EQ(::pwrite(file.file->get(), &byte, 1, static_cast<off_t>(at)), 1);
    };
    for (int i = 0; i < 3000; ++i) {
        std::array<std::size_t, 3> changed{};
        for (std::size_t& at : changed) {
            at = places[random() % places.size()];
            put_byte(at, static_cast<char>(random()));
        }
        refused += refusal(file).empty() ? 0 : 1;
        for (const std::size_t at : changed)
            put_byte(at, good.bytes[at]);
    }
    EXPECT_GT(refused, 0u);
}

} // namespace
