// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/mm/host_seam.hpp"
#include "partitions/unikernel/mm/vma.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace {

using namespace uk;
using mm::Vma;
using mm::VmaFields;
using mm::VmaTree;
constexpr std::uint64_t page = 4096;
constexpr std::uint8_t rw = mm::protection::read | mm::protection::write, r = mm::protection::read;

struct VmaTreeTest : ::testing::Test {
    VmaTreeTest() { mm::host::make_arena(4096); }
};

VmaFields anonymous(std::uint64_t first, std::uint64_t end, std::uint8_t protection = rw) {
    VmaFields vma;
    vma.start = first * page;
    vma.end = end * page;
    vma.protection = protection;
    return vma;
}

Status protect(VmaTree& tree, std::uint64_t start, std::uint64_t end, std::uint8_t protection) {
    return tree.change(
        start, end, [](VmaFields& fields, std::uint8_t value) { fields.protection = value; }, protection);
}

TEST_F(VmaTreeTest, MergesEqualNeighboursOnly) {
    VmaTree list;
    ASSERT_TRUE(list.insert(anonymous(10, 12)).ok());
    ASSERT_TRUE(list.insert(anonymous(14, 16)).ok());
    ASSERT_TRUE(list.insert(anonymous(12, 14)).ok());
    EXPECT_EQ(list.count(), 1u);
    ASSERT_TRUE(list.insert(anonymous(16, 17, r)).ok());
    EXPECT_EQ(list.count(), 2u);
    EXPECT_EQ(list.total(), 7 * page);
}

TEST_F(VmaTreeTest, CutsAndCountsFileReferences) {
    fs::Node node{0};
    {
        VmaTree list;
        VmaFields file = anonymous(100, 110, r);
        file.node = &node;
        file.offset = 3 * page;
        ASSERT_TRUE(list.insert(file).ok());
        ASSERT_TRUE(list.remove(104 * page, 105 * page).ok());
        ASSERT_EQ(list.count(), 2u);
        EXPECT_EQ(node.references, 2);
        EXPECT_EQ(list.find(105 * page)->offset_of(105 * page), 8 * page);
        EXPECT_EQ(list.find(104 * page), nullptr);
        ASSERT_TRUE(protect(list, 101 * page, 102 * page, rw).ok());
        EXPECT_EQ(list.count(), 4u);
        ASSERT_TRUE(protect(list, 101 * page, 102 * page, r).ok());
        EXPECT_EQ(list.count(), 2u);
        EXPECT_EQ(node.references, 2);
    }
    EXPECT_EQ(node.references, 0);
}

TEST_F(VmaTreeTest, FindsTheHighestHole) {
    VmaTree list;
    ASSERT_TRUE(list.insert(anonymous(10, 20)).ok());
    ASSERT_TRUE(list.insert(anonymous(24, 30)).ok());
    EXPECT_EQ(list.find_hole(2 * page, 0, 40 * page), 38 * page);
    EXPECT_EQ(list.find_hole(4 * page, 0, 30 * page), 20 * page);
    EXPECT_EQ(list.find_hole(5 * page, 0, 30 * page), 5 * page);
    EXPECT_EQ(list.find_hole(5 * page, 8 * page, 30 * page), std::nullopt);
    EXPECT_EQ(list.find_hole(3 * page, 0, 22 * page), 7 * page);
    EXPECT_EQ(list.find_hole(2 * page, 0, 22 * page), 20 * page);
    EXPECT_EQ(list.find_hole(~0ull, 0, 22 * page), std::nullopt);
}

TEST_F(VmaTreeTest, StacksGrowDownAndBreaksUp) {
    VmaTree list;
    ASSERT_TRUE(list.insert(anonymous(10, 20)).ok());
    ASSERT_TRUE(list.insert(anonymous(30, 40, r)).ok());
    EXPECT_FALSE(list.extend_down(30 * page, 19 * page));
    EXPECT_TRUE(list.extend_down(30 * page, 25 * page));
    EXPECT_FALSE(list.extend_up(10 * page, 26 * page));
    EXPECT_TRUE(list.extend_up(10 * page, 25 * page));
    EXPECT_EQ(list.total(), 30 * page);
}

TEST_F(VmaTreeTest, KeepsItsDistanceFromAStack) {
    VmaTree list;
    VmaFields stack = anonymous(1000, 1010);
    stack.grows_down = true;
    ASSERT_TRUE(list.insert(stack).ok());
    EXPECT_EQ(list.find_hole(page, 0, 1010 * page), (1000 - 256 - 1) * page);
    EXPECT_EQ(list.find_hole(2 * page, 0, 1000 * page), (1000 - 256 - 2) * page);
}

TEST_F(VmaTreeTest, CountsDataAndLockedBytes) {
    VmaTree list;
    ASSERT_TRUE(list.insert(anonymous(10, 20)).ok());
    ASSERT_TRUE(protect(list, 12 * page, 14 * page, r).ok());
    EXPECT_EQ(list.data(), 8 * page);
    const auto lock = [](VmaFields& fields, std::uint8_t value) { fields.locked = value != 0; };
    ASSERT_TRUE(list.change(13 * page, 16 * page, lock, 1).ok());
    EXPECT_EQ(list.locked(), 3 * page);
    EXPECT_TRUE(list.sound());
    ASSERT_TRUE(list.remove(15 * page, 30 * page).ok());
    EXPECT_EQ(list.locked(), 2 * page);
    EXPECT_TRUE(list.sound());
}

TEST_F(VmaTreeTest, OutOfMemoryChangesNothing) {
    VmaTree list;
    for (std::uint64_t i = 0; i < 16; ++i)
        ASSERT_TRUE(list.insert(anonymous(i * 4 + 1, i * 4 + 4)).ok());
    mm::host::limit_heap(mm::host::heap_objects());
    EXPECT_EQ(list.insert(anonymous(500, 501)).error(), Errno::nomem);
    const std::size_t count = list.count();
    EXPECT_EQ(list.remove(2 * page, 3 * page).error(), Errno::nomem);
    EXPECT_EQ(protect(list, 2 * page, 3 * page, r).error(), Errno::nomem);
    EXPECT_EQ(list.count(), count);
    EXPECT_TRUE(list.sound());
    EXPECT_TRUE(list.remove(2 * page, 5 * page).ok()); // what makes no hole needs no memory
    EXPECT_TRUE(list.sound());
}

TEST_F(VmaTreeTest, HoldsAsManyAsLinuxAndNoMore) {
    VmaTree list;
    for (std::uint64_t i = 1; i <= mm::max_map_count; ++i)
        ASSERT_TRUE(list.insert(anonymous(i * 4, i * 4 + 3)).ok()) << i;
    EXPECT_TRUE(list.sound());
    EXPECT_EQ(list.insert(anonymous(1, 2)).error(), Errno::nomem);
    EXPECT_EQ(list.remove(5 * page, 6 * page).error(), Errno::nomem);
    EXPECT_TRUE(list.insert(anonymous(7, 8)).ok()); // closes a gap
    EXPECT_TRUE(list.remove(9 * page, 10 * page).ok());
    EXPECT_EQ(list.count(), mm::max_map_count);
    EXPECT_TRUE(list.sound());
}

// Against a map of single pages.
TEST_F(VmaTreeTest, AgreesWithAPageMapUnderRandomOperations) {
    std::mt19937 random{1};
    VmaTree list;
    std::map<std::uint64_t, std::uint8_t> pages;
    for (int step = 0; step < 20000; ++step) {
        const std::uint64_t first = 1 + random() % 60, end = first + 1 + random() % 12;
        const std::uint8_t protection = random() % 2 != 0 ? rw : r;
        switch (random() % 3) {
        case 0:
            ASSERT_TRUE(list.insert(anonymous(first, end, protection)).ok());
            for (std::uint64_t at = first; at < end; ++at)
                pages[at] = protection;
            break;
        case 1:
            ASSERT_TRUE(list.remove(first * page, end * page).ok());
            for (std::uint64_t at = first; at < end; ++at)
                pages.erase(at);
            break;
        default:
            if (list.is_covered(first * page, end * page)) {
                ASSERT_TRUE(protect(list, first * page, end * page, protection).ok());
                for (std::uint64_t at = first; at < end; ++at)
                    pages[at] = protection;
            }
            break;
        }
        std::uint64_t covered = 0, before = 0;
        for (const Vma& vma : list) {
            ASSERT_LE(before, vma.start);
            ASSERT_LT(vma.start, vma.end);
            before = vma.end;
            for (std::uint64_t at = vma.start / page; at < vma.end / page; ++at, ++covered)
                ASSERT_EQ(pages.at(at), vma.protection);
        }
        ASSERT_EQ(covered, pages.size());
        ASSERT_TRUE(list.sound());
        // The highest hole, found by trying.
        const std::uint64_t size = 1 + random() % 20, low = random() % 30, high = low + random() % 60;
        std::optional<std::uint64_t> highest;
        for (std::uint64_t at = low; at + size <= high; ++at)
            if (list.is_free(at * page, (at + size) * page))
                highest = at * page;
        ASSERT_EQ(list.find_hole(size * page, low * page, high * page), highest);
        ASSERT_EQ(list.total(), covered * page);
    }
}

} // namespace
