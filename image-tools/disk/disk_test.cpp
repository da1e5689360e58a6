// SPDX-License-Identifier: Apache-2.0
// Disks and CDs as their readers see them; sgdisk, fsck.fat, mtools and xorriso look at them in media_test.py.
#include "image-tools/disk/fat32.hpp"
#include "image-tools/disk/gpt.hpp"
#include "image-tools/disk/iso.hpp"

#include <gtest/gtest.h>
#include <set>

namespace {

using namespace disk;

std::string flat(std::uint64_t bytes, const std::vector<Piece>& pieces) {
    std::string out(bytes, '\0');
    for (const Piece& piece : pieces) {
        EXPECT_LE(piece.offset + piece.bytes.size(), bytes);
        out.replace(piece.offset, piece.bytes.size(), piece.bytes);
    }
    return out;
}
template <typename T> T get(const std::string& bytes, std::size_t at) {
    T value{};
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}
std::string name(std::size_t length) {
    return std::string(length, 'n') + ".bundle";
}

TEST(Gpt, BothTablesSayTheSame) {
    EXPECT_EQ(crc32("123456789"), 0xcbf43926u); // the check value of CRC-32
    const std::array<std::uint8_t, 3> id{1, 2, 3};
    const Guid guid = guid_of(id, "disk"), other = guid_of(id, "partition");
    EXPECT_NE(guid, other);
    EXPECT_EQ(guid[7] >> 4, 8);
    EXPECT_EQ(guid[8] >> 6, 2);
    const GptDisk disk = gpt_disk({64 << 20, 0, guid, other, {}});
    EXPECT_EQ(disk.bytes % (1 << 20), 0u);
    const std::string bytes = flat(disk.bytes, disk.pieces);
    for (const std::uint64_t at : {std::uint64_t{1}, disk.bytes / 512 - 1}) {
        std::string header = bytes.substr(at * 512, 92);
        EXPECT_EQ(header.substr(0, 8), "EFI PART");
        EXPECT_EQ(get<std::uint64_t>(header, 24), at);
        const auto sum = get<std::uint32_t>(header, 16);
        put<std::uint32_t>(header, 16, 0);
        EXPECT_EQ(sum, crc32(header));
        const std::string table = bytes.substr(get<std::uint64_t>(header, 72) * 512, 128 * 128);
        EXPECT_EQ(get<std::uint32_t>(header, 88), crc32(table));
        EXPECT_EQ(get<std::uint64_t>(table, 32), 2048u);
        EXPECT_EQ(get<std::uint64_t>(table, 40), 2048u + (64u << 11) - 1);
        EXPECT_LE(get<std::uint64_t>(table, 40), get<std::uint64_t>(header, 48));
    }
    EXPECT_EQ(disk.pieces.back().offset, 0u); // what makes it a disk comes last
}

TEST(Fat32, FilesLieInOnePieceAndApart) {
    const std::vector<FatFile> files{{{"EFI", "BOOT", "BOOTX64.EFI"}, 1000},
                                     {{"EFI", "caisson", name(3)}, 5 << 20},
                                     {{"EFI", "caisson", "empty"}, 0}};
    const FatVolume volume = fat32_volume(files, 0, 7, 2048);
    const std::string bytes = flat(volume.bytes, volume.pieces);
    const auto tables = get<std::uint32_t>(bytes, 36),
               cluster = std::uint32_t{get<std::uint8_t>(bytes, 13)} * 512;
    const std::uint64_t data = (32 + 2 * std::uint64_t{tables}) * 512;
    const auto clusters = (volume.bytes - data) / cluster;
    EXPECT_GE(clusters, 65525u);
    EXPECT_GE(tables * 128u, clusters + 2); // an entry for each
    EXPECT_EQ(bytes.substr(32 * 512, tables * 512), bytes.substr((32 + tables) * 512, tables * 512));
    EXPECT_EQ(volume.places[2], 0u);
    for (const std::size_t i : {0, 1}) {
        EXPECT_EQ((volume.places[i] - data) % cluster, 0u);
        std::uint64_t at = (volume.places[i] - data) / cluster + 2, count = 1;
        for (; get<std::uint32_t>(bytes, 32 * 512 + at * 4) < 0x0ffffff8; ++at, ++count)
            ASSERT_EQ(get<std::uint32_t>(bytes, 32 * 512 + at * 4), at + 1);
        EXPECT_EQ(count, (files[i].bytes + cluster - 1) / cluster);
    }
    EXPECT_GE(volume.places[1], volume.places[0] + 1000);
    EXPECT_EQ(flat(volume.bytes, fat32_volume(files, 0, 7, 2048).pieces), bytes);
}

TEST(Fat32, LargeVolumesHaveLargeClusters) {
    const FatVolume volume = fat32_volume({{{"a"}, 1u << 30}}, 1u << 30, 0, 0);
    EXPECT_GE(volume.bytes, std::uint64_t{2} << 30);
    for (const Piece& piece : volume.pieces)
        if (piece.offset == 0) {
            EXPECT_EQ(get<std::uint8_t>(piece.bytes, 13), 8);
        }
}

TEST(Iso, NamesTheVolumeToFirmware) {
    const IsoImage image = iso_image(64 << 20);
    const std::string bytes = flat(image.bytes, image.pieces);
    EXPECT_EQ(bytes.substr(16 * 2048 + 1, 5), "CD001");
    EXPECT_EQ(get<std::uint32_t>(bytes, 16 * 2048 + 80) * 2048ull, image.bytes);
    EXPECT_EQ(bytes.substr(17 * 2048 + 7, 23), "EL TORITO SPECIFICATION");
    const std::size_t catalog = get<std::uint32_t>(bytes, 17 * 2048 + 71) * 2048;
    std::uint16_t sum = 0;
    for (std::size_t i = 0; i < 32; i += 2)
        sum = static_cast<std::uint16_t>(sum + get<std::uint16_t>(bytes, catalog + i));
    EXPECT_EQ(sum, 0);
    EXPECT_EQ(get<std::uint8_t>(bytes, catalog + 1), 0xef);
    EXPECT_EQ(get<std::uint32_t>(bytes, catalog + 40) * 2048ull, image.place);
}

} // namespace
