// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/memory/frame_pool.hpp"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace {

using namespace memory;

constexpr std::uint64_t top = ~std::uint64_t{0}, page = base::page_size;

using List = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

List listed(const Runs& runs) {
    List out;
    for (const Run& run : runs.view())
        out.emplace_back(run.base, run.bytes);
    return out;
}

List usable(const std::vector<Range>& entries) {
    Runs runs;
    EXPECT_TRUE(normalize(entries, runs).ok());
    return listed(runs);
}

TEST(Map, SortsJoinsAndLeavesHoles) {
    EXPECT_EQ(usable({{0x5000, 0x1000, Kind::usable},
                      {0x1000, 0x1000, Kind::usable},
                      {0x2000, 0x1000, Kind::usable},
                      {0x3000, 0x1000, Kind::reserved}}),
              (List{{0x1000, 0x2000}, {0x5000, 0x1000}}));
}

TEST(Map, MostRestrictiveWins) {
    EXPECT_EQ(usable({{0x4000, 0x4000, Kind::reserved},
                      {0, 0x10000, Kind::usable},
                      {0x6000, 0x1000, Kind::reserved},
                      {0xF000, 0x8000, Kind::reserved},
                      {0x5000, 0x1000, Kind::usable}}),
              (List{{0, 0x4000}, {0x8000, 0x7000}}));
}

TEST(Map, RoundsToPages) {
    // The classic one: EBDA in the last, partial page below 640 KiB.
    EXPECT_EQ(
        usable(
            {{0, 0x9FC00, Kind::usable}, {0x9FC00, 0x400, Kind::reserved}, {0xF0001, 0x10, Kind::reserved}}),
        (List{{0, 0x9F000}}));
    EXPECT_EQ(usable({{0, 0x10000, Kind::usable}, {0x4FFF, 2, Kind::reserved}}),
              (List{{0, 0x4000}, {0x6000, 0xA000}}));
    // Less than a page of usable memory is none.
    EXPECT_EQ(usable({{0x1001, 0x1FFE, Kind::usable}, {0x10000, 0x1000, Kind::usable}}),
              (List{{0x10000, 0x1000}}));
}

TEST(Map, AbsurdEntries) {
    EXPECT_EQ(usable({{0x1000, 0x1000, Kind::usable},
                      {top - 0xFFF, 0x2000, Kind::usable},
                      {0x1000, 0, Kind::reserved}}),
              (List{{0x1000, 0x1000}}));
    EXPECT_EQ(usable({{0x1000, 0x2000, Kind::usable}, {0x2000, top, Kind::reserved}}),
              (List{{0x1000, 0x1000}}));
    EXPECT_EQ(usable({{address_limit - 0x1000, top, Kind::usable}}),
              (List{{address_limit - 0x1000, 0x1000}}));
    EXPECT_EQ(usable({{0x1000, 0x1000, Kind::usable}, {top, top, Kind::reserved}}), (List{{0x1000, 0x1000}}));
}

TEST(Map, Refusals) {
    Runs runs;
    EXPECT_EQ(normalize({}, runs).error(), Error::no_usable_memory);
    const std::vector<Range> covered{{0, 0x5000, Kind::usable}, {0, 0x5000, Kind::reserved}};
    EXPECT_EQ(normalize(covered, runs).error(), Error::no_usable_memory);
    EXPECT_TRUE(runs.view().empty());
    const std::vector<Range> many(max_firmware_entries + 1, {0, 0x1000, Kind::usable});
    EXPECT_EQ(normalize(many, runs).error(), Error::too_many_entries);
    EXPECT_STRNE(describe(Error::too_many_entries), describe(Error::no_usable_memory));
    std::vector<Range> cut{{0, 0x10000000, Kind::usable}};
    for (std::uint64_t i = 0; i < max_firmware_entries - 1; ++i)
        cut.push_back({0x10000 * (i + 1), 0x1000, Kind::reserved});
    EXPECT_EQ(usable(cut).size(), max_firmware_entries);
}

TEST(Kinds, OfFirmware) {
    EXPECT_EQ(kind_of_e820(1), Kind::usable);
    for (const std::uint32_t type : {0u, 2u, 3u, 4u, 5u, 7u, 12345u})
        EXPECT_EQ(kind_of_e820(type), Kind::reserved);
    for (const std::uint32_t type : {1u, 2u, 3u, 4u, 7u})
        EXPECT_EQ(kind_of_efi(type, 0xF), Kind::usable) << type;
    for (const std::uint32_t type : {0u, 5u, 6u, 8u, 9u, 10u, 99u})
        EXPECT_EQ(kind_of_efi(type, 0xF), Kind::reserved) << type;
    EXPECT_EQ(kind_of_efi(7, 1), Kind::reserved) << "memory that cannot be cached";
    EXPECT_EQ(kind_of_efi(4, 0xF | std::uint64_t{1} << 63), Kind::reserved) << "kept at runtime";
}

TEST(Runs, AddAndRemoveAgreeWithSinglePages) {
    std::mt19937_64 random{5};
    constexpr std::size_t pages = 200;
    Runs runs;
    std::vector<bool> model(pages + 16, false);
    for (int step = 0; step < 4000; ++step) {
        const std::uint64_t from = random() % pages, count = random() % 12;
        const std::uint64_t skew = random() % 3 == 0 ? random() % page : 0;
        const std::uint64_t first = from * page + skew, bytes = count * page;
        const bool adds = random() % 2 == 0;
        ASSERT_TRUE(adds ? runs.add(first, bytes) : runs.remove(first, bytes));
        for (std::size_t i = 0; i < model.size(); ++i) {
            const bool whole = i * page >= first && (i + 1) * page <= first + bytes;
            const bool touched = bytes != 0 && (i + 1) * page > first && i * page < first + bytes;
            if (adds ? whole : touched)
                model[i] = adds;
        }
        std::uint64_t sum = 0;
        for (std::size_t i = 0; i < model.size(); ++i) {
            ASSERT_EQ(runs.contains(i * page, page), model[i]) << step << ' ' << i;
            sum += model[i] ? page : 0;
        }
        ASSERT_EQ(runs.bytes(), sum);
        for (std::size_t i = 1; i < runs.view().size(); ++i)
            ASSERT_LT(runs.view()[i - 1].end(), runs.view()[i].base) << "runs that touch are one";
    }
}

TEST(Runs, FullSetsStayAsTheyAre) {
    Runs runs;
    for (std::uint64_t i = 0; i < Runs::capacity; ++i)
        ASSERT_TRUE(runs.add(i * 4 * page, 3 * page));
    const List before = listed(runs);
    EXPECT_FALSE(runs.add(0x10000000, page));
    EXPECT_FALSE(runs.remove(page, page));
    EXPECT_EQ(listed(runs), before);
    EXPECT_TRUE(runs.remove(0, page));
    EXPECT_TRUE(runs.add(3 * page, page)); // joins two
    EXPECT_EQ(runs.view().size(), Runs::capacity - 1);
}

TEST(Runs, Questions) {
    Runs runs;
    ASSERT_TRUE(runs.add(0x1000, 0x3000) && runs.add(0x6000, 0x9000) && runs.add(0x13000, 0x5000) &&
                runs.add(0x100000, 0x100000));
    EXPECT_TRUE(runs.contains(0x1000, 0x3000));
    EXPECT_FALSE(runs.contains(0x1000, 0x3001));
    EXPECT_FALSE(runs.contains(0x4000, 1));
    EXPECT_FALSE(runs.contains(0, 1));
    EXPECT_FALSE(runs.contains(0x3000, top));
    EXPECT_EQ(runs.find(0x3000, 0x1000)->base, 0x1000u);
    EXPECT_EQ(runs.find(0x4000, 0x1000)->base, 0x6000u);
    EXPECT_EQ(runs.find(0x4000, 0x8000)->base, 0x8000u);
    EXPECT_EQ(runs.find(0x5000, 0x1000, 0x7000)->base, 0x7000u);
    EXPECT_EQ(runs.find(0x5000, 0x1000, 0xB000)->base, 0x13000u);
    EXPECT_EQ(runs.find(0x6000, 0x1000, 0xB000)->base, 0x100000u);
    EXPECT_EQ(runs.find(0x6000, 0x1000)->bytes, 0x6000u);
    EXPECT_FALSE(runs.find(0x200000, 0x1000));
    EXPECT_FALSE(runs.find(0x1000, 0x1000, top - 10));
    EXPECT_EQ(runs.longest(0x1000)->bytes, 0x100000u);
    EXPECT_EQ(runs.longest(0x100000)->base, 0x100000u);
    EXPECT_FALSE(runs.longest(0x200000));
    EXPECT_EQ(runs.bytes(), 0x3000u + 0x9000 + 0x5000 + 0x100000);
    ASSERT_TRUE(runs.add(0x300000, 0x100000));
    EXPECT_EQ(runs.longest(0x1000)->base, 0x100000u) << "the lowest of several";
    runs.clear();
    EXPECT_FALSE(runs.longest(0x1000));
}

TEST(FramePool, HandsOutEachFrameOnce) {
    FramePool pool;
    EXPECT_TRUE(pool.add({0x11000, 0x3000}));
    EXPECT_TRUE(pool.add({0x20000, 0x8000}));
    EXPECT_EQ(pool.total_frames(), 11u);
    EXPECT_EQ(pool.take(2, 0x2000), base::PhysAddr{0x12000});
    EXPECT_EQ(pool.take(4, 0x4000), base::PhysAddr{0x20000});
    EXPECT_EQ(pool.take(), base::PhysAddr{0x11000});
    EXPECT_EQ(pool.take(2, 0x1000), base::PhysAddr{0x24000});
    EXPECT_EQ(pool.take(1, 0x1000), base::PhysAddr{0x26000});
    EXPECT_EQ(pool.free_frames(), 1u);
    EXPECT_EQ(pool.total_frames(), 11u);
    EXPECT_FALSE(pool.take(2));
    EXPECT_FALSE(pool.take(0));
    EXPECT_FALSE(pool.take(top));
    EXPECT_EQ(pool.take(), base::PhysAddr{0x27000});
    EXPECT_FALSE(pool.take());
    EXPECT_TRUE(pool.add({0x40000, 0x2000}));
    pool.seal();
    EXPECT_FALSE(pool.add({0x50000, 0x1000}));
    EXPECT_FALSE(pool.take());
    EXPECT_EQ(pool.free_frames(), 2u);
}

TEST(FramePool, TooManyPieces) {
    FramePool full;
    for (std::uint64_t i = 0; i < Runs::capacity; ++i)
        ASSERT_TRUE(full.add({(2 * i + 1) * page, page}));
    EXPECT_FALSE(full.add({0x10000000, page}));
    EXPECT_EQ(full.total_frames(), Runs::capacity);

    // One run, of which every second frame is taken: what is left is as many pieces as there can be.
    FramePool cut;
    ASSERT_TRUE(cut.add({page, 2000 * page}));
    for (std::uint64_t i = 1; i < Runs::capacity; ++i)
        ASSERT_EQ(cut.take(1, 2 * page), base::PhysAddr{2 * i * page});
    const std::uint64_t left = cut.free_frames();
    EXPECT_FALSE(cut.take(1, 2 * page)) << "it would be cut out of the middle";
    EXPECT_EQ(cut.free_frames(), left);
    EXPECT_FALSE(cut.add({0x10000000, page}));
    EXPECT_EQ(cut.take(), base::PhysAddr{page});
}

TEST(FramePool, ManyAlignedRequestsLoseNothing) {
    FramePool pool;
    ASSERT_TRUE(pool.add({0x1000, 0x100000}));
    std::vector<bool> taken(0x200);
    std::uint64_t handed_out = 0;
    for (std::uint64_t i = 0;; ++i) {
        const std::uint64_t count = i % 5 + 1;
        const auto got = pool.take(count, i % 3 == 0 ? 0x4000 : 0x1000);
        if (!got)
            break;
        handed_out += count;
        for (std::uint64_t frame = 0; frame < count; ++frame) {
            const std::uint64_t index = got->value() / 0x1000 + frame;
            ASSERT_GE(index, 1u);
            ASSERT_LT(index, 0x101u);
            EXPECT_FALSE(taken[index]);
            taken[index] = true;
        }
    }
    EXPECT_EQ(pool.free_frames(), 0x100 - handed_out);
}

} // namespace
