// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/pieces_test.cpp - long calls in pieces: what is true between two of them, and what others may do there.
#include "partitions/unikernel/mm/space_fixture.hpp"

#include <functional>

namespace uk::mm::test {

namespace {

std::function<void()> act; // of the other threads
void between() {
    act();
}

struct PiecesTest : SpaceTest {
    static constexpr std::uint64_t pages = 5000;
    PiecesTest() : SpaceTest(3 * pages) {}
    ~PiecesTest() override { act = nullptr; }
    // Pages [0, pages) with 1 in each; `count` counts the pieces' ends from here on.
    void fill() {
        ASSERT_TRUE(map(0, pages, rw).ok());
        for (std::uint64_t i = 0; i < pages; ++i)
            ASSERT_EQ(put(at(i), 1), Fault::resolved);
        act = [this] { ++count; };
    }
    unsigned count = 0;
};

const int unmapped = -static_cast<int>(Fault::unmapped);

} // namespace

TEST_F(PiecesTest, UnmapsFromTheLowestAddressOn) {
    fill();
    std::uint64_t before = space->resident_pages();
    act = [&] {
        ++count;
        const std::uint64_t left = space->resident_pages();
        EXPECT_LT(left, before) << "a piece did something";
        EXPECT_LE(before - left, 1024U) << "and not too much";
        before = left;
        EXPECT_EQ(get(at(pages - left - 1)), unmapped) << "what went is gone for good";
        EXPECT_EQ(get(at(pages - left)), 1);
        EXPECT_TRUE(space->ranges().sound());
    };
    EXPECT_TRUE(space->unmap(at(0), pages * page, &between).ok());
    EXPECT_EQ(count, 4U);
    EXPECT_EQ(space->resident_pages(), 0U);
    EXPECT_EQ(space->ranges().count(), 0U);
    EXPECT_EQ(space->table_pages(), 0U);
}

TEST_F(PiecesTest, WhatIsMappedMeanwhileStays) {
    fill();
    act = [&] {
        if (++count != 2)
            return;
        EXPECT_TRUE(map(3, 2, rw).ok());
        EXPECT_EQ(put(at(3), 7), Fault::resolved);
        EXPECT_TRUE(space->unmap(at(4500), 10 * page).ok()) << "and what goes meanwhile does not hinder";
    };
    EXPECT_TRUE(space->unmap(at(0), pages * page, &between).ok());
    EXPECT_EQ(get(at(3)), 7);
    EXPECT_EQ(space->resident_pages(), 1U);
    EXPECT_TRUE(space->ranges().sound());
}

TEST_F(PiecesTest, ProtectsWhatThereIsWhenItsTurnComes) {
    fill();
    act = [&] {
        if (++count != 1)
            return;
        EXPECT_EQ(put(at(1023), 2), Fault::denied);
        EXPECT_EQ(put(at(1024), 2), Fault::resolved) << "it has its turn later";
        EXPECT_TRUE(space->unmap(at(3000), page).ok());
    };
    EXPECT_EQ(space->protect(at(0), pages * page, r, false, &between).error(), Errno::nomem)
        << "there is a hole now";
    EXPECT_EQ(put(at(2999), 2), Fault::denied);
    EXPECT_EQ(put(at(3001), 2), Fault::resolved);
    EXPECT_EQ(get(at(1024)), 2);
    EXPECT_TRUE(space->ranges().sound());
    EXPECT_TRUE(space->protect(at(3001), (pages - 3001) * page, r, false, &between).ok());
    EXPECT_EQ(put(at(3001), 2), Fault::denied);
    EXPECT_EQ(put(at(pages - 1), 2), Fault::denied);
}

TEST_F(PiecesTest, WritingIsNotGivenToASharedFileThatCameMeanwhile) {
    fill();
    ASSERT_TRUE(space->protect(at(0), pages * page, r).ok());
    fs::Node file{2};
    act = [&] {
        if (++count != 1)
            return;
        MapRequest request;
        request.address = at(2000);
        request.bytes = page;
        request.protection = r;
        request.fixed = request.shared = true; // by a descriptor that may not write
        request.node = &file;
        EXPECT_TRUE(space->map(request).ok());
    };
    EXPECT_EQ(space->protect(at(0), pages * page, rw, false, &between).error(), Errno::acces);
    EXPECT_EQ(put(at(2000), 1), Fault::denied);
    EXPECT_EQ(put(at(1999), 2), Fault::resolved);
    EXPECT_TRUE(space->unmap(at(2000), page).ok());
}

TEST_F(PiecesTest, DiscardsInPieces) {
    fill();
    act = [&] {
        ++count;
        EXPECT_EQ(put(at(0), 3), Fault::resolved) << "written again behind the work";
    };
    EXPECT_TRUE(space->discard(at(0), pages * page, false, &between).ok());
    EXPECT_EQ(count, 4U);
    EXPECT_EQ(get(at(0)), 3);
    EXPECT_EQ(get(at(pages - 1)), 0);
    ASSERT_TRUE(space->unmap(at(1), page).ok());
    EXPECT_EQ(space->discard(at(0), pages * page, false, &between).error(), Errno::nomem) << "a hole";
}

TEST_F(PiecesTest, TheBreakIsWhereItWillBe) {
    space->break_start = space->break_end = at(0);
    const std::uint64_t top = at(pages);
    ASSERT_EQ(space->set_break(top), top);
    for (std::uint64_t i = 0; i < pages; ++i)
        ASSERT_EQ(put(at(i), 1), Fault::resolved);
    act = [&] {
        ++count;
        EXPECT_EQ(space->set_break(0), at(1));
    };
    EXPECT_EQ(space->set_break(at(1), &between), at(1));
    EXPECT_EQ(count, 4U);
}

TEST_F(PiecesTest, AChildIsCopiedInPieces) {
    fill();
    fs::Node file{1};
    ASSERT_TRUE(map(pages, 1, rw, &file, true).ok());
    act = [&] {
        if (++count != 2)
            return;
        EXPECT_EQ(put(at(0), 9), Fault::resolved) << "its turn was before";
        EXPECT_EQ(put(at(pages - 1), 7), Fault::resolved) << "its turn comes";
        EXPECT_EQ(mm::host::stale_translations(), 0U);
    };
    AddressSpace child;
    ASSERT_TRUE(child.create().ok());
    ASSERT_TRUE(child.copy_from(*space, &between).ok());
    EXPECT_EQ(count, 4U);
    EXPECT_EQ(child.resident_pages(), pages);
    EXPECT_EQ(child.ranges().count(), 2U);
    EXPECT_TRUE(child.ranges().sound());
    EXPECT_EQ(file.references, 2);
    const auto of_child = [&child](std::uint64_t address) {
        std::uint8_t value = 0;
        EXPECT_EQ(mm::host::read(child, address, value), Fault::resolved);
        return value;
    };
    EXPECT_EQ(of_child(at(0)), 1);
    EXPECT_EQ(of_child(at(pages - 1)), 7);
    space->activate();
    EXPECT_EQ(get(at(0)), 9);
    ASSERT_TRUE(space->unmap(at(pages), page).ok());
    child.clear();
}

TEST_F(PiecesTest, ManyRangesOfAChildAreManyPieces) {
    for (std::uint64_t i = 0; i < 1000; ++i)
        ASSERT_TRUE(map(2 * i, 1, rw).ok());
    act = [this] { ++count; };
    AddressSpace child;
    ASSERT_TRUE(child.create().ok());
    ASSERT_TRUE(child.copy_from(*space, &between).ok());
    EXPECT_EQ(count, 7U);
    EXPECT_EQ(child.ranges().count(), 1000U);
}

TEST_F(PiecesTest, MovesInPieces) {
    fill();
    const std::uint64_t frames = mm::frame_counts().free;
    act = [&] {
        ++count;
        EXPECT_TRUE(space->ranges().sound());
        EXPECT_EQ(mm::host::stale_translations(), 0U);
        if (count == 6) { // two pieces have moved
            EXPECT_EQ(get(at(10000)), 1);
            EXPECT_EQ(put(at(10000 + pages - 1), 5), Fault::resolved) << "touched before its page came";
            EXPECT_EQ(get(at(pages - 2)), 1) << "still there";
            EXPECT_EQ(put(at(0), 6), Fault::resolved) << "what has moved is empty";
        }
    };
    mm::RemapRequest request;
    request.start = at(0);
    request.old_bytes = request.new_bytes = pages * page;
    request.target = at(10000);
    request.may_move = request.fixed = true;
    ASSERT_EQ(*space->remap(request, &between), at(10000));
    EXPECT_EQ(count, 8U) << "tables first, then pages";
    for (std::uint64_t i = 0; i < pages; ++i)
        ASSERT_EQ(get(at(10000 + i)), 1) << i;
    EXPECT_EQ(get(at(0)), unmapped);
    EXPECT_EQ(space->resident_pages(), pages);
    EXPECT_EQ(space->ranges().count(), 1U);
    EXPECT_LE(frames - mm::frame_counts().free, 1U) << "a table more at most: it begins elsewhere";
}

TEST_F(PiecesTest, LockedMemoryComesInPieces) {
    act = [this] { ++count; };
    MapRequest request;
    request.address = at(0);
    request.bytes = 1000 * page;
    request.protection = rw;
    request.fixed = request.locked = true;
    ASSERT_TRUE(space->map(request, &between).ok());
    EXPECT_EQ(space->resident_pages(), 1000U);
    EXPECT_EQ(count, 15U);
}

TEST_F(PiecesTest, ManyRangesAreManyPieces) {
    for (std::uint64_t i = 0; i < 1000; ++i)
        ASSERT_TRUE(map(2 * i, 1, rw).ok());
    act = [this] { ++count; };
    space->shed(&between);
    EXPECT_EQ(count, 7U);
    EXPECT_EQ(space->ranges().count(), 0U);
    ASSERT_TRUE(map(0, 1, rw).ok());
    space->shed(&between);
    EXPECT_EQ(space->ranges().count(), 1U) << "what is small is left to the space's end";
}

// Where no range can be added, a piece that would need one is not cut off.
TEST_F(PiecesTest, AllAtOnceWhereAPieceNeedsARangeTooMany) {
    fill();
    for (std::uint64_t i = 1; space->ranges().count() < mm::max_map_count; ++i)
        ASSERT_TRUE(map(pages + 2 * i, 1, r).ok());
    EXPECT_TRUE(space->protect(at(0), pages * page, r, false, &between).ok());
    EXPECT_EQ(count, 0U);
    EXPECT_EQ(put(at(pages - 1), 1), Fault::denied);
    ASSERT_TRUE(map(pages, 1, r).ok()) << "joins";
    ASSERT_EQ(space->ranges().count(), mm::max_map_count);
    EXPECT_TRUE(space->unmap(at(1), (pages - 1) * page, &between).error() == Errno::nomem)
        << "a hole is one more";
    EXPECT_EQ(get(at(1)), 1) << "nothing was done";
    EXPECT_TRUE(space->unmap(at(1), pages * page, &between).ok());
    EXPECT_EQ(get(at(pages)), unmapped);
    EXPECT_EQ(get(at(0)), 1);
}

} // namespace uk::mm::test
