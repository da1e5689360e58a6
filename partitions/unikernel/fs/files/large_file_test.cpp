// SPDX-License-Identifier: Apache-2.0
// What is done to a large file in pieces: its end is cut off, a hole is punched, its frames are freed.
#include "partitions/unikernel/fs/test_tree.hpp"
#include "partitions/unikernel/mm/object.hpp"

#include <gtest/gtest.h>

namespace uk::fs::test {
namespace {

// A file of so many pages with a byte in each, and who looks on between the pieces of what is done to it.
struct LargeFileTest : testing::Test {
    static constexpr std::uint64_t pages = 5000;
    LargeFileTest() : t({{}, 1 << 20, false}) {
        t.tree.finish();
        t.run_as(0, 0);
        before = host::state().frames;
        descriptor = t.open("/dev/shm/large", open_flag::read_write | open_flag::create);
        for (std::uint64_t i = 0; i < pages; ++i) {
            EXPECT_TRUE(seek_file(t.file(descriptor), static_cast<std::int64_t>(i * 4096), 0).ok());
            EXPECT_EQ(t.write(descriptor, "x"), 1);
        }
    }
    ~LargeFileTest() override { host::state().between = nullptr; }
    std::string byte_at(std::uint64_t page) {
        EXPECT_TRUE(seek_file(t.file(descriptor), static_cast<std::int64_t>(page * 4096), 0).ok());
        return t.read(descriptor, 1);
    }
    Node& node() { return *t.file(descriptor).node; }
    TestTree t;
    std::uint64_t before = 0;
    int descriptor = -1;
    unsigned count = 0;
};

TEST_F(LargeFileTest, ItsEndIsCutOffInPieces) {
    host::state().between = [this] {
        ++count;
        EXPECT_EQ(node().size, (pages - 1) * 4096 + 1) << "it is gone at the end";
        EXPECT_EQ(byte_at(10), std::string(1, '\0')) << "but reads as zeros";
        EXPECT_EQ(byte_at(pages - 1), "x");
        if (count == 2) { // somebody writes where it was cleared already: that goes too
            EXPECT_TRUE(seek_file(t.file(descriptor), 20 * 4096, 0).ok());
            EXPECT_EQ(t.write(descriptor, "y"), 1);
        }
    };
    ASSERT_EQ(code(resize_node(node(), 10 * 4096)), 0);
    EXPECT_EQ(count, 4u);
    EXPECT_EQ(node().size, 10u * 4096);
    EXPECT_EQ(node().pages.count(), 10u);
    ASSERT_EQ(code(resize_node(node(), pages * 4096)), 0);
    EXPECT_EQ(byte_at(9), "x");
    EXPECT_EQ(byte_at(20), std::string(1, '\0'));
}

TEST_F(LargeFileTest, AHoleIsPunchedInPieces) {
    host::state().between = [this] {
        ++count;
        EXPECT_EQ(byte_at(0), "x");
        EXPECT_EQ(byte_at(pages - 1), "x");
    };
    const auto frames = host::state().frames;
    ASSERT_EQ(code(allocate_range(t.file(descriptor), 3, 4096, (pages - 2) * 4096)), 0);
    EXPECT_EQ(count, 4u);
    EXPECT_EQ(frames - host::state().frames, pages - 2) << "what was punched is no memory any more";
    EXPECT_EQ(byte_at(0), "x");
    EXPECT_EQ(byte_at(1), std::string(1, '\0'));
    EXPECT_EQ(byte_at(pages - 1), "x");
}

TEST_F(LargeFileTest, ItIsFreedAPieceAtATime) {
    ASSERT_EQ(code(unlink(t.context, t.here(), "/dev/shm/large")), 0);
    const Volume& volume = *node().volume;
    const auto used = volume.used();
    const auto frames = host::state().frames;
    (void)t.files.close(descriptor);
    EXPECT_EQ(host::state().frames, frames) << "closing is short";
    EXPECT_LT(volume.used(), used) << "though the volume has its room again";
    EXPECT_TRUE(free_a_piece());
    EXPECT_EQ(frames - host::state().frames, 1024u);
    while (free_a_piece())
        ++count;
    EXPECT_EQ(count, 4u);
    EXPECT_EQ(host::state().frames, before);
}

TEST_F(LargeFileTest, MemoryThatIsShortIsGivenBackFromIt) {
    ASSERT_EQ(code(unlink(t.context, t.here(), "/dev/shm/large")), 0);
    (void)t.files.close(descriptor);
    EXPECT_TRUE(give_back_kept());
    while (give_back_kept())
        ;
    EXPECT_EQ(host::state().frames, before);
}

} // namespace
} // namespace uk::fs::test
