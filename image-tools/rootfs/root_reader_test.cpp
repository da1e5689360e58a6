// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/root_reader.hpp"

#include "image-tools/rootfs/flatten_test_support.hpp"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>

namespace rootfs {
namespace {

using test::Flattened;
using test::TarBuilder;

RootReader reader_of(const std::vector<std::uint8_t>& image) {
    return {[&image](std::uint64_t offset, std::span<std::uint8_t> to) {
                const std::size_t part =
                    offset > image.size() ? 0 : std::min<std::size_t>(to.size(), image.size() - offset);
                std::memcpy(to.data(), image.data() + offset, part);
                return part;
            },
            image.size()};
}

TEST(RootReader, FindsWhatTheWriterWrote) {
    const std::string large(100'000, 'l');
    const std::string sparse = "begin" + std::string(300'000, '\0') + "end";
    TarBuilder tar;
    tar.directory("d").file("d/small", "text").file("d/large", large).file("sparse", sparse).file("empty");
    tar.symlink("link", "d/small").hard_link("again", "d/large");
    for (int i = 0; i < 500; ++i)
        tar.file("many/file-" + std::to_string(i), std::to_string(i));
    Flattened flat({tar.done()});
    const auto image = flat.image();
    const RootReader reader = reader_of(image);
    const auto all = reader.list();
    EXPECT_EQ(all.size(), 506u);
    EXPECT_TRUE(std::is_sorted(all.begin(), all.end(),
                               [](const auto& one, const auto& other) { return one.path < other.path; }));
    const auto at = [&](const std::string& path) {
        for (const RootReader::Node& node : all)
            if (node.path == path)
                return node;
        throw std::runtime_error(path);
    };
    EXPECT_EQ(reader.read(at("d/small"), 0, 100), "text");
    EXPECT_EQ(reader.read(at("d/small"), 2, 1), "x");
    EXPECT_EQ(reader.read(at("d/large"), 0, 1 << 20), large);
    EXPECT_EQ(reader.read(at("d/large"), 4090, 12), large.substr(0, 12));
    EXPECT_EQ(reader.read(at("sparse"), 0, 1 << 20), sparse);
    EXPECT_EQ(reader.read(at("sparse"), 299'000, 2000), sparse.substr(299'000, 2000));
    EXPECT_EQ(reader.read(at("empty"), 0, 10), "");
    EXPECT_EQ(reader.read(at("link"), 0, 100), "d/small");
    EXPECT_EQ(at("again").number, at("d/large").number);
    EXPECT_EQ(reader.read(at("many/file-499"), 0, 10), "499");
}

TEST(RootReader, RefusesWhatIsNoImage) {
    Flattened flat({TarBuilder().directory("d").file("d/f", "x").done()});
    auto image = flat.image();
    EXPECT_NO_THROW(static_cast<void>(reader_of(image).list()));
    EXPECT_THROW(reader_of(std::vector<std::uint8_t>(512)), RootError);
    auto other = image;
    other[erofs::superblock_offset] ^= 1;
    EXPECT_THROW(reader_of(other), RootError);
    // A directory that holds itself: the entry of d's file leads back to the root.
    auto loop = image;
    const auto root =
        static_cast<std::uint64_t>(loop[erofs::superblock_offset + erofs::superblock::root_nid]) |
        static_cast<std::uint64_t>(loop[erofs::superblock_offset + erofs::superblock::root_nid + 1]) << 8;
    bool changed = false;
    for (std::size_t i = erofs::superblock_offset + 128; i + 12 < loop.size(); ++i) {
        // The three dirents of d: ".", "..", "f" before the names "...f".
        if (std::memcmp(loop.data() + i, "...f", 4) == 0) {
            std::memcpy(loop.data() + i - 12, &root, sizeof root);
            changed = true;
        }
    }
    ASSERT_TRUE(changed);
    EXPECT_THROW(static_cast<void>(reader_of(loop).list()), RootError);
    auto cut = image;
    cut.resize(cut.size() - 4096);
    EXPECT_THROW(static_cast<void>(reader_of(cut).list()), RootError);
}

// No byte that is turned over leads out of the image or keeps the reader busy.
TEST(RootReader, BitFlips) {
    Flattened flat(
        {TarBuilder().directory("d").file("d/f", "text").file("g", std::string(9000, 'g')).done()});
    const auto image = flat.image();
    unsigned refused = 0;
    for (std::size_t at = erofs::superblock_offset; at < image.size(); ++at) {
        auto flipped = image;
        flipped[at] ^= 0x81;
        try {
            const RootReader reader = reader_of(flipped);
            for (const RootReader::Node& node : reader.list())
                static_cast<void>(reader.read(node, 0, 1 << 16));
        } catch (const RootError&) {
            ++refused;
        }
    }
    EXPECT_GT(refused, 20u);
}

} // namespace
} // namespace rootfs
