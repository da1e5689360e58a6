// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/layers.hpp"

#include "image-tools/rootfs/flatten_test_support.hpp"

#include <gtest/gtest.h>

namespace rootfs {
namespace {

using test::entry;
using test::Flattened;
using test::TarBuilder;

std::string refusal(const std::vector<std::string>& layers, const oci::Limits& limits = {}) {
    try {
        Flattened flattened(layers, limits);
    } catch (const diagnostic::Failure& failure) {
        return failure.diagnostic().code + " " + failure.diagnostic().message;
    }
    return "accepted";
}

TEST(Layers, WhiteoutRemovesOnlyWhatLowerLayersPutThere) {
    const Flattened flat(
        {TarBuilder().directory("a").file("a/old").file("a/both", "1").done(),
         TarBuilder().file("a/both", "2").file("a/.wh.both").file("a/.wh.old").file("a/.wh.never").done()});
    EXPECT_EQ(flat.listing(), "a/ a/both");
}

TEST(Layers, OpaqueDirectoryKeepsItsOwnLayerWhereverItStands) {
    const Flattened flat(
        {TarBuilder().directory("op").file("op/old").directory("op/sub").file("op/sub/old").done(),
         TarBuilder().file("op/new").file("op/sub/new").file("op/.wh..wh..opq").file("op/late").done()});
    EXPECT_EQ(flat.listing(), "op/ op/late op/new op/sub/ op/sub/new");
}

TEST(Layers, AWhitedOutDirectoryIsRebornEmpty) {
    const Flattened flat({TarBuilder().directory("d").file("d/x").done(),
                          TarBuilder().directory("d").file(".wh.d").file("d/y").done()});
    EXPECT_EQ(flat.listing(), "d/ d/y");
}

TEST(Layers, FileAndDirectoryReplaceEachOther) {
    const Flattened flat({TarBuilder().file("f").directory("d").file("d/x").symlink("s", "d").done(),
                          TarBuilder().directory("f").file("f/in").file("d", "file").directory("s").done()});
    EXPECT_EQ(flat.listing(), "d f/ f/in s/");
}

TEST(Layers, HardLinksShareAndBreakOff) {
    Flattened flat({TarBuilder().file("orig", "data").hard_link("l1", "orig").done(),
                    TarBuilder().hard_link("/l2", "./orig").file("l1", "other").hard_link("l2", "l2").done(),
                    TarBuilder().file(".wh.orig").done()});
    EXPECT_EQ(flat.listing(), "l1 l2");
    EXPECT_EQ(flat.tree.inode(*flat.tree.lookup("l2")).links, 1u);
    EXPECT_EQ(flat.tree.inode(*flat.tree.lookup("l2")).size, 4u);
}

TEST(Layers, AHardLinkOverTheDirectoryThatHoldsItsTarget) {
    const Flattened flat({TarBuilder().directory("d").file("d/f", "x").hard_link("d", "d/f").done()});
    EXPECT_EQ(flat.listing(), "d");
    EXPECT_EQ(flat.tree.inode(*flat.tree.lookup("d")).links, 1u);
}

TEST(Layers, LinksInAPathStayInsideTheRoot) {
    const Flattened flat({TarBuilder()
                              .symlink("abs", "/tmp")
                              .symlink("up", "../../../x")
                              .directory("usr/bin")
                              .symlink("bin", "usr/bin")
                              .done(),
                          TarBuilder().file("abs/evil").file("up/evil").file("bin/sh").done()});
    EXPECT_EQ(flat.listing(),
              "abs->/tmp bin->usr/bin tmp/ tmp/evil up->../../../x usr/ usr/bin/ usr/bin/sh x/ x/evil");
}

TEST(Layers, RefusesPathsThatLeaveTheRoot) {
    EXPECT_EQ(refusal({TarBuilder().file("a/../../x").done()}),
              "E0411 test: layer 1 of 1 (sha256:0): entry 'a/../../x': the path 'a/../../x' leaves the root "
              "('..')");
    EXPECT_NE(refusal({TarBuilder().file("ok").done(), TarBuilder().hard_link("h", "../x").done()})
                  .find("E0412 test: layer 2 of 2"),
              std::string::npos);
    EXPECT_NE(refusal({TarBuilder().hard_link("h", "none").done()}).find("target 'none' is not in the image"),
              std::string::npos);
    EXPECT_NE(refusal({TarBuilder().directory("d").hard_link("h", "d").done()}).find("is a directory"),
              std::string::npos);
    for (const char* marker : {"a/.wh...", "a/.wh..", "a/.wh."}) {
        EXPECT_NE(refusal({TarBuilder().directory("a").file(marker).done()}).find("E0421"), std::string::npos)
            << marker;
    }
}

TEST(Layers, DotDotTakesBackTheNameBeforeIt) {
    const Flattened flat({TarBuilder()
                              .file("a/../b")
                              .directory("c/d/../e")
                              .hard_link("h", "c/none/../../b")
                              .symlink("l", "c")
                              .file("l/e/../f")
                              .done()});
    EXPECT_EQ(flat.listing(), "b c/ c/e/ c/f h l->c");
    EXPECT_NE(refusal({TarBuilder().directory("c/d").symlink("l", "c/d").file("l/../x").done()})
                  .find("goes back ('..') from the link 'l'"),
              std::string::npos);
}

TEST(Layers, RefusesWhatCannotBePlaced) {
    EXPECT_NE(refusal({TarBuilder().file("f").file("f/below").done()}).find("E0422"), std::string::npos);
    EXPECT_NE(refusal({TarBuilder().symlink("a", "b").symlink("b", "a").file("a/x").done()})
                  .find("too many symbolic links"),
              std::string::npos);
    EXPECT_NE(refusal({TarBuilder().file("./").done()}).find("E0422"), std::string::npos);
}

TEST(Layers, LimitsAreExitEight) {
    oci::Limits limits;
    limits.entries = 2;
    EXPECT_NE(refusal({TarBuilder().file("a").file("b").file("c").done()}, limits).find("E0413"),
              std::string::npos);
    limits = {};
    limits.depth = 3;
    EXPECT_EQ(refusal({TarBuilder().file("1/2/3/f").done()}, limits), "accepted");
    EXPECT_NE(refusal({TarBuilder().file("1/2/3/4/f").done()}, limits).find("E0413"), std::string::npos);
    EXPECT_NE(refusal({TarBuilder().file(std::string(256, 'n')).done()}).find("E0413"), std::string::npos);
    EXPECT_NE(refusal({TarBuilder().symlink("s", std::string(256, 'n')).file("s/x").done()}).find("E0413"),
              std::string::npos);
}

TEST(Layers, ContentsAndMetadataSurviveTheRoundTrip) {
    oci::TarEntry rich = entry(oci::TarType::regular, "rich");
    rich.mode = 04755;
    rich.uid = 3'000'000;
    rich.gid = 4294967294;
    rich.mtime = -5;
    rich.attributes = {
        {"user.a", "1"}, {"security.capability", std::string("\0\1", 2)}, {"com.apple.x", "dropped"}};
    oci::TarEntry device = entry(oci::TarType::character_device, "dev/null");
    device.device_major = 4095;
    device.device_minor = 0xfffff;
    TarBuilder many;
    many.add(rich, std::string(10000, 'r'))
        .add(device)
        .symlink("long", std::string(4000, 't'))
        .add(entry(oci::TarType::fifo, "fifo"));
    for (int i = 0; i < 500; ++i) {
        many.file("many/!name-that-sorts-before-dot-" + std::to_string(i));
    }
    Flattened flat({many.done()}, {}, 77);
    const auto image = flat.image();
    const test::ErofsReader read(image);
    const auto& nodes = read.nodes();
    EXPECT_EQ(nodes.size(), flat.tree.inode_count());
    const test::ReadNode& back = nodes.at("rich");
    EXPECT_EQ(back.mode, 0104755);
    EXPECT_EQ(back.uid, 3'000'000u);
    EXPECT_EQ(back.gid, 4294967294u);
    EXPECT_EQ(back.mtime, -5);
    EXPECT_EQ(back.attributes,
              (std::map<std::string, std::string>{{"1:a", "1"}, {"6:capability", std::string("\0\1", 2)}}));
    EXPECT_EQ(read.contents("rich"), std::string(10000, 'r'));
    EXPECT_EQ(nodes.at("dev/null").device, (0xffu | 4095u << 8 | 0xfff00u << 12));
    EXPECT_EQ(nodes.at("long").target, std::string(4000, 't'));
    EXPECT_EQ(nodes.at("dev").links, 2u);
    EXPECT_EQ(nodes.at("").links, 4u);
    EXPECT_EQ(nodes.at("dev").mtime, 77);
}

TEST(Layers, RemovedContentsLeaveNoTrace) {
    Flattened with({TarBuilder()
                        .file("a", std::string(9000, 'a'))
                        .file("b", std::string(5000, 'b'))
                        .file("c", "c")
                        .done(),
                    TarBuilder().file(".wh.a").file("d", std::string(4096, 'd')).file("b", "short").done()});
    Flattened without(
        {TarBuilder().file("c", "c").file("d", std::string(4096, 'd')).file("b", "short").done()});
    const auto image = with.image();
    EXPECT_EQ(image, without.image());
    const test::ErofsReader read(image);
    EXPECT_EQ(read.contents("b"), "short");
    EXPECT_EQ(read.contents("d"), std::string(4096, 'd'));
}

// PAX 0.1 written by hand: the writer makes no sparse entries.
std::string sparse_tar(const std::string& size, const std::string& map, const std::string& data) {
    const auto record = [](const std::string& key, const std::string& value) {
        std::size_t length = key.size() + value.size() + 3;
        length += std::to_string(length + 2).size();
        return std::to_string(length) + " " + key + "=" + value + "\n";
    };
    std::string tar = TarBuilder()
                          .file("x", record("GNU.sparse.size", size) + record("GNU.sparse.map", map))
                          .file("sparse", data)
                          .done();
    unsigned sum = 0;
    tar[156] = 'x';
    tar.replace(148, 8, 8, ' ');
    for (std::size_t i = 0; i < 512; ++i) {
        sum += static_cast<unsigned char>(tar[i]);
    }
    std::snprintf(tar.data() + 148, 8, "%06o", sum);
    return tar;
}

TEST(Layers, SparseFilesAreChunked) {
    const std::string data = std::string(4096, 'a') + std::string(100, 'b') + std::string(7, 'c');
    Flattened flat({sparse_tar("20000000", "0,4096,70000,0,8000000,100,19999993,7", data)});
    const auto image = flat.image();
    const test::ErofsReader read(image);
    std::string expected(20000000, '\0');
    expected.replace(0, 4096, 4096, 'a').replace(8000000, 100, 100, 'b').replace(19999993, 7, 7, 'c');
    EXPECT_TRUE(read.contents("sparse") == expected);
    EXPECT_GT(read.nodes().at("sparse").holes, 100u);
    EXPECT_LT(image.size(), 100000u);
}

TEST(Layers, ScatteredSparseFilesHitALimit) {
    std::string map;
    for (int i = 0; i < 20000; ++i) {
        map += (i == 0 ? "" : ",") + std::to_string(i * std::uint64_t{50'000'000}) + ",1";
    }
    EXPECT_NE(refusal({sparse_tar("1000000000000", map, std::string(20000, 'x'))}).find("too scattered"),
              std::string::npos);
}

TEST(Layers, SmallFilesLieBesideTheirInodes) {
    oci::TarEntry script = entry(oci::TarType::regular, "script");
    script.mode = 0755;
    const auto blocks = [](TarBuilder& builder) {
        Flattened flat({builder.done()});
        const auto image = flat.image();
        const test::ErofsReader read(image);
        for (const auto& [path, node] : read.nodes()) {
            if ((node.mode & 0170000U) == 0100000) {
                EXPECT_EQ(read.contents(path), std::string(node.size, path[0])) << path;
            }
        }
        return image.size() / block_size;
    };
    EXPECT_EQ(blocks(TarBuilder().file("a", "a")), 1u);
    EXPECT_EQ(blocks(TarBuilder().file("a", std::string(4032, 'a'))), 2u) << "with its inode a block";
    EXPECT_EQ(blocks(TarBuilder().file("a", std::string(4033, 'a'))), 2u) << "a block of its own";
    EXPECT_EQ(blocks(TarBuilder().add(script, "s")), 2u) << "executable";
    oci::TarEntry attributes = entry(oci::TarType::regular, "x");
    attributes.attributes = {{"user.a", std::string(3000, 'v')}};
    EXPECT_EQ(blocks(TarBuilder().add(attributes, std::string(2000, 'x'))), 3u);
    TarBuilder many;
    for (int i = 0; i < 1000; ++i) {
        many.file("f" + std::to_string(i), std::string(200, 'f'));
    }
    EXPECT_LT(blocks(many), 75u);
    Flattened elf({TarBuilder()
                       .file("p", "\x7f"
                                  "ELF")
                       .done()});
    EXPECT_EQ(elf.image().size() / block_size, 2u);
}

TEST(Layers, ASmallFileGoesAndComes) {
    Flattened flat({TarBuilder().file("a", "1").file("b", std::string(5000, 'b')).file("c", "3").done(),
                    TarBuilder()
                        .file("a", std::string(5000, 'a'))
                        .file("b", "2")
                        .file(".wh.c")
                        .hard_link("h", "b")
                        .done()});
    const auto image = flat.image();
    const test::ErofsReader read(image);
    EXPECT_EQ(read.contents("a"), std::string(5000, 'a'));
    EXPECT_EQ(read.contents("b"), "2");
    EXPECT_EQ(read.contents("h"), "2");
    EXPECT_EQ(read.nodes().size(), 4u);
}

TEST(Layers, ASmallImageHasOneBlockOfMetadata) {
    Flattened flat({TarBuilder().directory("bin").file("bin/hello", std::string(17000, 'x')).done()});
    EXPECT_EQ(flat.image().size(), (1 + 5) * block_size);
}

} // namespace
} // namespace rootfs
