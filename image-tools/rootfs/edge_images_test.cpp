// SPDX-License-Identifier: Apache-2.0
// image-tools/rootfs/edge_images_test.cpp - the images of qemu-tests/images/make_oci.py: each unusual one
// becomes the tree it means, each hostile one is refused with image, layer and reason; every result passes
// fsck.erofs and is reproducible.
#include "image-tools/rootfs/erofs_test_reader.hpp"
#include "image-tools/rootfs/root_image.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <sstream>

namespace rootfs {
namespace {

namespace fs = std::filesystem;

std::string bytes_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

class EdgeImages : public testing::Test {
protected:
    void SetUp() override {
        std::string pattern = (fs::temp_directory_path() / "caisson-edge-XXXXXX").string();
        work_ = ::mkdtemp(pattern.data());
    }
    void TearDown() override { fs::remove_all(work_); }

    static oci::Image open(const std::string& name) {
        return oci::Image::open(oci::parse_reference("oci:" CAISSON_TEST_IMAGES "/" + name));
    }

    RootImage flatten(const std::string& name) {
        RootImage root = RootImage::build(open(name), work_ / "root.erofs");
        EXPECT_EQ(std::system(("fsck.erofs " + root.content().name + " >/dev/null").c_str()), 0)
            << name << " (erofs-utils installed?)";
        RootImage::build(open(name), work_ / "again.erofs");
        EXPECT_EQ(
            std::system(("cmp " + root.content().name + " " + (work_ / "again.erofs").string()).c_str()), 0)
            << name;
        return root;
    }

    // Reads the image back; and what fsck.erofs extracts must be the same.
    std::string tree_of(const std::string& name) {
        const RootImage root = flatten(name);
        const std::string image = bytes_of(root.content().name);
        const test::ErofsReader reader({reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
        const fs::path out = work_ / "out";
        fs::remove_all(out);
        EXPECT_EQ(
            std::system(
                ("fsck.erofs --extract=" + out.string() + " " + root.content().name + " >/dev/null").c_str()),
            0);
        std::string listing;
        std::size_t extracted = 0;
        for (const auto& [path, node] : reader.nodes()) {
            const unsigned kind = node.mode & 0170000U;
            extracted += path.empty() || fs::exists(fs::symlink_status(out / path)) ? 1 : 0;
            if (path.empty()) {
                continue;
            }
            listing += listing.empty() ? "" : " ";
            listing += path;
            if (kind == 0040000) {
                listing += "/";
            } else if (kind == 0120000) {
                listing += "->" + node.target;
                EXPECT_EQ(fs::read_symlink(out / path), node.target);
            } else if (kind == 0100000) {
                EXPECT_EQ(bytes_of(out / path), reader.contents(path)) << path;
                listing +=
                    node.size < 100 ? "=" + reader.contents(path) : "[" + std::to_string(node.size) + "]";
            }
        }
        EXPECT_EQ(extracted, reader.nodes().size());
        return listing;
    }

    std::string refusal(const std::string& name) {
        fs::remove(work_ / "root.erofs");
        try {
            RootImage::build(open(name), work_ / "root.erofs");
        } catch (const diagnostic::Failure& failure) {
            EXPECT_FALSE(fs::exists(work_ / "root.erofs")) << "a refused image leaves no output";
            const diagnostic::Diagnostic& diagnostic = failure.diagnostic();
            std::string text = diagnostic.code + " exit " +
                               std::to_string(static_cast<int>(diagnostic.exit)) + " " + diagnostic.message;
            for (const std::string& note : diagnostic.notes) {
                text += " | " + note;
            }
            return text;
        }
        return "accepted";
    }

    fs::path work_;
};

TEST_F(EdgeImages, Whiteouts) {
    EXPECT_EQ(tree_of("edge-whiteout"),
              "a/ a/gone=again a/keep=1 dir2file=now a file dirgone/ dirgone/reborn=r file2dir/ "
              "file2dir/in=x lnkdir->a op/ op/new=n");
}

TEST_F(EdgeImages, HardLinkAcrossLayers) {
    EXPECT_EQ(tree_of("edge-hardlink-cross-layer"), "d/ d/l1=replaced, orig must not change d/l2[1048576]");
    const RootImage root = flatten("edge-hardlink-cross-layer");
    const Inode& kept = root.tree().inode(*root.tree().lookup("d/l2"));
    EXPECT_EQ(kept.links, 1u);
    EXPECT_EQ(kept.uid, 1000u);
    EXPECT_EQ(kept.mode, 0640);
}

TEST_F(EdgeImages, Compressions) {
    const std::string base = tree_of("edge-uncompressed");
    EXPECT_EQ(base, tree_of("busybox"));
    EXPECT_EQ(tree_of("edge-zstd"), base + " g2[1048576] z1[1048576] z2[1048576]");
}

TEST_F(EdgeImages, SymlinkThrough) {
    EXPECT_EQ(tree_of("edge-symlink-through"),
              "link->/tmp tmp/ tmp/evil=must land inside the root: /tmp/evil of the image");
}

// As docker build packs a preallocated file: no bomb, and no blocks. What fsck.erofs 1.5 extracts is not compared: it
// leaves holes out.
TEST_F(EdgeImages, RunsOfZeros) {
    const RootImage root = flatten("edge-zeros");
    EXPECT_LT(root.size(), 200000u);
    const std::string image = bytes_of(root.content().name);
    const test::ErofsReader reader({reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
    EXPECT_EQ(reader.nodes().at("lastlog").size, 104857600u);
    EXPECT_TRUE(reader.contents("lastlog") == std::string(104857600, '\0'));
    EXPECT_TRUE(reader.contents("end") == "e" + std::string(200000, '\0') + "x");
    EXPECT_EQ(reader.nodes().at("end").holes, 2u);
}

TEST_F(EdgeImages, Metadata) {
    const RootImage root = flatten("edge-meta");
    const std::string image = bytes_of(root.content().name);
    const test::ErofsReader reader({reinterpret_cast<const std::uint8_t*>(image.data()), image.size()});
    const auto describe = [&](const std::string& path) {
        const test::ReadNode& node = reader.nodes().at(path);
        std::ostringstream text;
        text << std::oct << node.mode << std::dec << " " << node.uid << ":" << node.gid << " " << node.mtime;
        return text.str();
    };
    EXPECT_EQ(describe(""), "40755 0:0 1700000000");
    EXPECT_EQ(describe("tmp"), "41777 0:0 1700000000");
    EXPECT_EQ(describe("suid"), "104755 0:0 1700000000");
    EXPECT_EQ(describe("sgid"), "102755 0:0 1700000000");
    EXPECT_EQ(describe("u1000"), "100600 1000:1000 1700000000");
    EXPECT_EQ(describe("biguid"), "100644 3000000:4294967294 1700000000");
    EXPECT_EQ(describe("dev/null"), "20666 0:0 1700000000");
    EXPECT_EQ(reader.nodes().at("dev/null").device, 0x103u);
    EXPECT_EQ(describe("dev/sda"), "60660 0:0 1700000000");
    EXPECT_EQ(describe("fifo"), "10644 0:0 1700000000");
    EXPECT_EQ(describe("epoch0"), "100644 0:0 0");
    EXPECT_EQ(describe("y2100"), "100644 0:0 4102444800");
    EXPECT_EQ(reader.nodes().at("nsec").mtime_nanoseconds, 123456789u);
    EXPECT_EQ(reader.nodes().at("abs").target, "/etc/x");
    EXPECT_EQ(reader.contents(std::string(255, 'n')), "maxname");
    EXPECT_EQ(reader.contents("sp ace\tnl\n"), "w");
    EXPECT_EQ(reader.contents("dotslash") + reader.contents("leadingslash"), "dd");
    EXPECT_EQ(describe("implicit/parent"), "40755 0:0 1700000000");
    using Attributes = std::map<std::string, std::string>;
    EXPECT_EQ(reader.nodes().at("caps").attributes,
              (Attributes{{"6:capability", std::string("\1\0\0\2\0\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20)}}));
    EXPECT_EQ(reader.nodes().at("uattr").attributes,
              (Attributes{{"1:hello", "w\u00f6rld"}, {"4:overlay.opaque", "y"}}));
}

TEST_F(EdgeImages, SparseFileKeepsItsHoles) {
    const RootImage root = flatten("edge-sparse");
    EXPECT_LT(root.size(), 512u << 10);
    const InodeId id = *root.tree().lookup("sparse");
    EXPECT_EQ(root.tree().inode(id).size, 1u << 30);
    std::vector<std::uint8_t> bytes(3);
    EXPECT_EQ(root.read(id, 4095, bytes), 3u);
    EXPECT_EQ(bytes, (std::vector<std::uint8_t>{'A', 0, 0}));
    EXPECT_EQ(root.read(id, (1u << 29) - 1, bytes), 3u);
    EXPECT_EQ(bytes, (std::vector<std::uint8_t>{0, 'B', 'B'}));
    EXPECT_EQ(root.read(id, (1u << 30) - 1, bytes), 1u);
}

TEST_F(EdgeImages, ManySmallFilesAndManyLayers) {
    EXPECT_EQ(flatten("edge-100k-small").tree().inode_count(), 101001u);
    const RootImage layers = flatten("edge-many-layers");
    EXPECT_EQ(layers.tree().inode_count(), 130u);
    EXPECT_EQ(layers.read_file("/l/last"), "126");
}

TEST_F(EdgeImages, PlatformIsChosenOthersAreListed) {
    EXPECT_EQ(tree_of("edge-multiarch"), "arch=amd64");
    EXPECT_EQ(open("edge-multiarch").platforms().size(), 3u);
    EXPECT_EQ(refusal("edge-other-platform").substr(0, 5), "E0404");
    EXPECT_NE(refusal("edge-other-platform").find("is not for linux/amd64 | platforms there: linux/arm64/v8"),
              std::string::npos);
}

TEST_F(EdgeImages, TagsAreListedWhenAmbiguous) {
    EXPECT_EQ(tree_of("edge-two-tags:v2"), "v=2");
    EXPECT_NE(refusal("edge-two-tags").find("holds 2 images; say which | there: v1 (sha256:"),
              std::string::npos);
    EXPECT_NE(refusal("edge-two-tags:v3").find("no image of that name | there: v1 (sha256:"),
              std::string::npos);
}

TEST_F(EdgeImages, HostileImagesAreRefusedPrecisely) {
    struct Case {
        const char* image;
        const char* code;
        const char* reason;
    };
    const Case cases[] = {
        {"bad-dotdot", "E0411 exit 4",
         "entry '../../etc/evil': the path '../../etc/evil' leaves the root ('..')"},
        {"bad-hardlink-missing", "E0412 exit 4",
         "entry 'h': the hard link's target 'no/such/target' is not in the image"},
        {"bad-hardlink-escape", "E0412 exit 4",
         "entry 'h': the hard link's target '../../../etc/passwd' leaves the root ('..')"},
        {"bad-wh-dotdot", "E0421 exit 4", "entry 'a/.wh...': the whiteout names '..'"},
        {"bad-bomb", "E0413 exit 8", "a decompression bomb"},
        {"bad-digest", "E0407 exit 5", "the blob's digest does not match its content | expected sha256:"},
        {"bad-truncated", "E0407 exit 5",
         "the blob has the wrong size, so it is truncated or altered | expected"},
        {"bad-missing-blob", "E0420 exit 4", "the blob is missing"},
        {"bad-diffid", "E0408 exit 5",
         "is not the one its config names (diff_id) | expected sha256:0000000000"},
    };
    for (const Case& bad : cases) {
        const std::string text = refusal(bad.image);
        EXPECT_EQ(text.substr(0, 12), bad.code) << text;
        EXPECT_NE(text.find(std::string(bad.image) + ": layer 1 of 1 (sha256:"), std::string::npos) << text;
        EXPECT_NE(text.find(bad.reason), std::string::npos) << text;
    }
}

} // namespace
} // namespace rootfs
