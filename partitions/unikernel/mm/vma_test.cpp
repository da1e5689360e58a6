// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/mm/vma.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <random>
#include <vector>

// The list's two link-time seams: a heap and nodes that count their references.
namespace uk::mm {
static bool heap_is_empty = false;
void* allocate(std::size_t bytes) {
    return heap_is_empty ? nullptr : std::malloc(bytes);
}
void free(void* memory) {
    std::free(memory);
}
} // namespace uk::mm
namespace uk::fs {
struct Node {
    int references = 0;
};
void retain(Node& node) {
    ++node.references;
}
void release(Node& node) {
    --node.references;
}
} // namespace uk::fs

namespace {

using namespace uk;
using mm::Vma;
using mm::VmaList;
constexpr std::uint64_t page = 4096;
constexpr std::uint8_t rw = mm::protection::read | mm::protection::write, r = mm::protection::read;

Vma anonymous(std::uint64_t first, std::uint64_t end, std::uint8_t protection = rw) {
    Vma vma;
    vma.start = first * page;
    vma.end = end * page;
    vma.protection = protection;
    return vma;
}

TEST(VmaList, MergesEqualNeighboursOnly) {
    VmaList list;
    ASSERT_TRUE(list.insert(anonymous(10, 12)).ok());
    ASSERT_TRUE(list.insert(anonymous(14, 16)).ok());
    ASSERT_TRUE(list.insert(anonymous(12, 14)).ok());
    EXPECT_EQ(list.view().size(), 1u);
    ASSERT_TRUE(list.insert(anonymous(16, 17, r)).ok());
    EXPECT_EQ(list.view().size(), 2u);
    EXPECT_EQ(list.total(), 7 * page);
}

TEST(VmaList, CutsAndCountsFileReferences) {
    fs::Node node;
    {
        VmaList list;
        Vma file = anonymous(100, 110, r);
        file.node = &node;
        file.offset = 3 * page;
        ASSERT_TRUE(list.insert(file).ok());
        ASSERT_TRUE(list.remove(104 * page, 105 * page).ok());
        ASSERT_EQ(list.view().size(), 2u);
        EXPECT_EQ(node.references, 2);
        EXPECT_EQ(list.find(105 * page)->offset_of(105 * page), 8 * page);
        EXPECT_EQ(list.find(104 * page), nullptr);
        ASSERT_TRUE(list.protect(101 * page, 102 * page, rw).ok());
        EXPECT_EQ(list.view().size(), 4u);
        ASSERT_TRUE(list.protect(101 * page, 102 * page, r).ok());
        EXPECT_EQ(list.view().size(), 2u);
        EXPECT_EQ(node.references, 2);
    }
    EXPECT_EQ(node.references, 0);
}

TEST(VmaList, SharedFileWithoutWriteAccessStaysReadOnly) {
    fs::Node node;
    VmaList list;
    Vma file = anonymous(1, 3, r);
    file.node = &node;
    file.shared = true;
    ASSERT_TRUE(list.insert(file).ok());
    EXPECT_EQ(list.protect(page, 2 * page, rw).error(), Errno::acces);
    EXPECT_EQ(list.view().size(), 1u);
}

TEST(VmaList, FindsTheHighestHole) {
    VmaList list;
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

TEST(VmaList, StacksGrowDownAndBreaksUp) {
    VmaList list;
    ASSERT_TRUE(list.insert(anonymous(10, 20)).ok());
    ASSERT_TRUE(list.insert(anonymous(30, 40, r)).ok());
    EXPECT_FALSE(list.extend_down(30 * page, 19 * page));
    EXPECT_TRUE(list.extend_down(30 * page, 25 * page));
    EXPECT_FALSE(list.extend_up(10 * page, 26 * page));
    EXPECT_TRUE(list.extend_up(10 * page, 25 * page));
    EXPECT_EQ(list.total(), 30 * page);
}

TEST(VmaList, OutOfMemoryChangesNothing) {
    VmaList list;
    for (std::uint64_t i = 0; i < 16; ++i)
        ASSERT_TRUE(list.insert(anonymous(i * 4 + 1, i * 4 + 4)).ok());
    mm::heap_is_empty = true;
    EXPECT_EQ(list.insert(anonymous(500, 501)).error(), Errno::nomem);
    EXPECT_EQ(list.remove(2 * page, 3 * page).error(), Errno::nomem);
    EXPECT_EQ(list.protect(2 * page, 3 * page, r).error(), Errno::nomem);
    mm::heap_is_empty = false;
    EXPECT_EQ(list.view().size(), 16u);
    EXPECT_EQ(list.total(), 48 * page);
}

// Against a map of single pages.
TEST(VmaList, AgreesWithAPageMapUnderRandomOperations) {
    std::mt19937 random{1};
    VmaList list;
    std::map<std::uint64_t, std::uint8_t> pages;
    for (int step = 0; step < 20000; ++step) {
        const std::uint64_t first = 1 + random() % 60, end = first + 1 + random() % 12;
        const std::uint8_t protection = random() % 2 != 0 ? rw : r;
        switch (random() % 3) {
        case 0:
            if (list.is_free(first * page, end * page)) {
                ASSERT_TRUE(list.insert(anonymous(first, end, protection)).ok());
                for (std::uint64_t at = first; at < end; ++at)
                    pages[at] = protection;
            }
            break;
        case 1:
            ASSERT_TRUE(list.remove(first * page, end * page).ok());
            for (std::uint64_t at = first; at < end; ++at)
                pages.erase(at);
            break;
        default:
            if (list.is_covered(first * page, end * page)) {
                ASSERT_TRUE(list.protect(first * page, end * page, protection).ok());
                for (std::uint64_t at = first; at < end; ++at)
                    pages[at] = protection;
            }
            break;
        }
        std::uint64_t covered = 0, before = 0;
        for (const Vma& vma : list.view()) {
            ASSERT_LE(before, vma.start);
            ASSERT_LT(vma.start, vma.end);
            before = vma.end;
            for (std::uint64_t at = vma.start / page; at < vma.end / page; ++at, ++covered)
                ASSERT_EQ(pages.at(at), vma.protection);
        }
        ASSERT_EQ(covered, pages.size());
        ASSERT_EQ(list.total(), covered * page);
    }
}

} // namespace
