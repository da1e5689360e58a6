// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/holes.hpp"

#include "image-tools/rootfs/flatten_test_support.hpp"

#include <gtest/gtest.h>

namespace rootfs {
namespace {

using test::Flattened;
using test::TarBuilder;

constexpr std::size_t unit = hole_unit;

struct Stored {
    std::uint64_t holes = 0;  // chunks
    std::uint64_t blocks = 0; // of the image
};

Stored store(const std::string& contents) {
    Flattened flat({TarBuilder().file("f", contents).file("behind", "x").done()});
    const auto image = flat.image();
    const test::ErofsReader read(image);
    EXPECT_TRUE(read.contents("f") == contents);
    EXPECT_EQ(read.contents("behind"), "x");
    return {read.nodes().at("f").holes, image.size() / block_size};
}

std::string zeros(std::size_t bytes) {
    return std::string(bytes, '\0');
}

TEST(Holes, AlignedRunsOf64KiBAndMore) {
    EXPECT_EQ(store(zeros(unit)).holes, 1u);
    EXPECT_EQ(store(zeros(unit - 1)).holes, 0u);
    EXPECT_EQ(store("x" + zeros(unit - 1)).holes, 0u);
    EXPECT_EQ(store("x" + zeros(2 * unit - 2)).holes, 0u) << "no aligned unit is zero";
    EXPECT_EQ(store("x" + zeros(2 * unit - 1)).holes, 1u);
    EXPECT_EQ(store("x" + zeros(2 * unit + 99)).holes, 2u) << "the end belongs to the hole before it";
    EXPECT_EQ(store(std::string(unit, 'x') + zeros(99)).holes, 0u) << "an end of its own does not";
    EXPECT_EQ(store(zeros(3 * unit) + "x").holes, 3u);
    EXPECT_EQ(store(zeros(unit) + std::string(unit, 'a') + zeros(unit) + std::string(5, 'b')).holes, 2u);
}

TEST(Holes, ManyZerosTakeNoRoom) {
    const Stored stored = store(zeros(200 * unit) + "middle" + zeros(300 * unit));
    EXPECT_LE(stored.blocks, 20u);
    EXPECT_EQ(store(zeros(std::size_t{64} << 20)).blocks, 1u) << "one chunk";
}

TEST(Holes, NeverInElfFiles) {
    EXPECT_EQ(store("\x7f"
                    "ELF" +
                    zeros(4 * unit))
                  .holes,
              0u);
    EXPECT_EQ(store("\x7f"
                    "ELG" +
                    zeros(4 * unit))
                  .holes,
              4u - 0u);
}

TEST(Holes, HoweverTheBytesArrive) {
    const std::string contents = "ab" + zeros(3 * unit) + "c" + zeros(2 * unit + 7);
    for (const std::size_t run : {1UL, 511UL, 4096UL, unit - 1, unit, unit + 1, contents.size()}) {
        auto file = std::make_shared<const files::FileHandle>(::memfd_create("spool", MFD_CLOEXEC));
        Spool spool(file, "spool", 0);
        HoleWriter writer(spool);
        for (std::size_t at = 0; at < contents.size(); at += run) {
            const std::string part = contents.substr(at, run);
            writer.write({reinterpret_cast<const std::uint8_t*>(part.data()), part.size()});
        }
        Inode inode;
        inode.size = contents.size();
        writer.finish(inode);
        ASSERT_NE(inode.chunks, nullptr);
        EXPECT_EQ(inode.chunks->chunks, (std::vector<std::uint32_t>{1, ChunkMap::hole, ChunkMap::hole, 17,
                                                                    ChunkMap::hole, ChunkMap::hole}))
            << run;
        EXPECT_EQ(spool.next_block(), 33u);
    }
}

} // namespace
} // namespace rootfs
