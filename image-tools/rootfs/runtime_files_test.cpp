// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/runtime_files.hpp"

#include "image-tools/rootfs/flatten_test_support.hpp"

#include <gtest/gtest.h>

namespace rootfs {
namespace {

using test::Flattened;
using test::TarBuilder;

std::string added(const std::string& layer, const std::vector<std::string>& volumes = {}) {
    Flattened flat({layer}, {}, 77);
    try {
        add_runtime_files(flat.tree, volumes, 77, "image");
    } catch (const diagnostic::Failure& failure) {
        return failure.diagnostic().code + " " + failure.diagnostic().message;
    }
    const auto image = flat.image();
    EXPECT_EQ(test::ErofsReader(image).nodes().size(), flat.tree.inode_count());
    return flat.listing();
}

TEST(RuntimeFiles, AScratchImageGetsWhatRuntimesMake) {
    EXPECT_EQ(added(TarBuilder().file("app").done()),
              "app dev/ etc/ etc/mtab->/proc/mounts etc/resolv.conf proc/ sys/ tmp/");
}

TEST(RuntimeFiles, WhatTheImageHasStays) {
    const std::string layer = TarBuilder()
                                  .directory("dev")
                                  .file("dev/own")
                                  .directory("etc")
                                  .file("etc/mtab", "m")
                                  .file("etc/resolv.conf", "r")
                                  .directory("proc")
                                  .directory("sys")
                                  .symlink("tmp", "var/tmp")
                                  .done();
    EXPECT_EQ(added(layer), "dev/ dev/own etc/ etc/mtab etc/resolv.conf proc/ sys/ tmp->var/tmp");
}

TEST(RuntimeFiles, VolumesHaveDirectories) {
    const std::string layer = TarBuilder().directory("var/lib").symlink("data", "/var/lib").done();
    EXPECT_EQ(
        added(layer, {"/data/db", "relative", "/a/../b/./c", "/var/lib"}),
        "b/ b/c/ data->/var/lib dev/ etc/ etc/mtab->/proc/mounts etc/resolv.conf proc/ relative/ sys/ tmp/ "
        "var/ var/lib/ var/lib/db/");
    EXPECT_NE(added(TarBuilder().file("data", "x").done(), {"/data"})
                  .find("VOLUME '/data' cannot be mounted: 'data' "
                        "is not a directory"),
              std::string::npos);
    EXPECT_NE(added(TarBuilder().symlink("data", "gone").done(), {"/data/x"}).find("a link to nothing"),
              std::string::npos);
    EXPECT_NE(added("", {"/" + std::string(300, 'n')}).find("E0422"), std::string::npos);
}

TEST(RuntimeFiles, WhereARuntimeWouldFailItIsSaid) {
    EXPECT_EQ(added(TarBuilder().file("dev", "x").done()),
              "E0422 image: the file system '/dev' cannot be mounted: 'dev' is not a directory");
    EXPECT_EQ(added(TarBuilder().file("proc", "x").done()),
              "E0422 image: the file system '/proc' cannot be mounted: 'proc' is not a directory");
    EXPECT_EQ(added(TarBuilder().directory("var").symlink("proc", "/var").done()),
              "E0422 image: the file system '/proc' cannot be mounted: it is a symbolic link, which runtimes "
              "refuse");
    EXPECT_EQ(added(TarBuilder().directory("var").symlink("dev", "var").done()),
              "dev->var etc/ etc/mtab->/proc/mounts etc/resolv.conf proc/ sys/ tmp/ var/");
}

} // namespace
} // namespace rootfs
