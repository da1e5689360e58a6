// SPDX-License-Identifier: Apache-2.0
#include "image-tools/rootfs/fill_holes.hpp"

#include <algorithm>
#include <gtest/gtest.h>
#include <numeric>
#include <random>

namespace rootfs {
namespace {

// A file of blocks, each with the number of the content that it belongs to; 0: nobody's.
struct Disk {
    std::vector<std::uint32_t> blocks{0};
    std::vector<std::uint32_t> firsts, sizes;
    std::vector<bool> alive;

    void add(std::uint32_t size, bool lives) {
        firsts.push_back(static_cast<std::uint32_t>(blocks.size()));
        sizes.push_back(size);
        alive.push_back(lives);
        blocks.resize(blocks.size() + size, static_cast<std::uint32_t>(sizes.size()));
    }
    [[nodiscard]] std::vector<Extent> live() {
        std::vector<Extent> out;
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            if (alive[i]) {
                out.push_back({&firsts[i], sizes[i]});
            }
        }
        return out;
    }
    // -> blocks moved
    std::uint64_t apply(const Filling& filling) {
        std::uint64_t moved = 0;
        for (const Move& move : filling.moves) {
            EXPECT_LT(move.to, move.from);
            for (std::uint32_t i = 0; i < move.blocks; ++i) {
                blocks[move.to + i] = blocks[move.from + i];
            }
            moved += move.blocks;
        }
        for (const auto& [first, count] : filling.left) {
            std::fill_n(blocks.begin() + first, count, 0);
        }
        blocks.resize(filling.end);
        return moved;
    }
    // Every live content is whole where its owner looks for it, and nothing else is left.
    void check(std::uint32_t wasted_at_most) {
        std::uint64_t wasted = 0;
        for (const std::uint32_t owner : blocks) {
            ASSERT_TRUE(owner == 0 || alive[owner - 1]) << "a removed content is still there";
            wasted += owner == 0 ? 1 : 0;
        }
        EXPECT_LE(wasted, 1 + wasted_at_most);
        for (std::size_t i = 0; i < sizes.size(); ++i) {
            for (std::uint32_t block = 0; alive[i] && block < sizes[i]; ++block) {
                ASSERT_EQ(blocks.at(firsts[i] + block), i + 1) << "content " << i;
            }
        }
    }
};

TEST(FillHoles, NothingMovesWhereNothingIsMissing) {
    Disk disk;
    disk.add(5, true);
    disk.add(7, true);
    const Filling filling = fill_holes(disk.live(), 13);
    EXPECT_TRUE(filling.moves.empty());
    EXPECT_TRUE(filling.left.empty());
    EXPECT_EQ(filling.end, 13U);
}

TEST(FillHoles, AHoleAtTheEndIsCutOff) {
    Disk disk;
    disk.add(5, true);
    disk.add(7, false);
    const Filling filling = fill_holes(disk.live(), 13);
    EXPECT_TRUE(filling.moves.empty());
    EXPECT_EQ(filling.end, 6U);
}

TEST(FillHoles, NothingLivesAtAll) {
    Disk disk;
    disk.add(5, false);
    const Filling filling = fill_holes(disk.live(), 6);
    EXPECT_EQ(filling.end, 1U);
}

TEST(FillHoles, TheLastOnesFillWhatIsFree) {
    Disk disk;
    disk.add(8, false);
    disk.add(1000, true);
    disk.add(5, true);
    disk.add(3, true);
    const Filling filling = fill_holes(disk.live(), 1017);
    EXPECT_EQ(disk.apply(filling), 8U);
    disk.check(0);
}

// One that fits nowhere slides by what those before it gave up.
TEST(FillHoles, ALargeOneAtTheEndSlides) {
    Disk disk;
    for (int i = 0; i < 10; ++i) {
        disk.add(20, false);
        disk.add(200, true);
    }
    for (int i = 0; i < 10; ++i) {
        disk.add(20, true);
    }
    disk.add(600, true);
    const Filling filling = fill_holes(disk.live(), static_cast<std::uint32_t>(disk.blocks.size()));
    EXPECT_EQ(disk.apply(filling), 800U);
    disk.check(0);
}

TEST(FillHoles, AnyMixtureIsWholeAfterwards) {
    std::mt19937 random{7};
    for (int round = 0; round < 3000; ++round) {
        Disk disk;
        const unsigned contents = 1 + random() % 60, deaths = random() % 101, largest = 1 + random() % 80;
        std::uint64_t live = 0;
        for (unsigned i = 0; i < contents; ++i) {
            disk.add(1 + static_cast<std::uint32_t>(random() % largest), random() % 100 >= deaths);
            live += disk.alive.back() ? disk.sizes.back() : 0;
        }
        const auto end = static_cast<std::uint32_t>(disk.blocks.size());
        const std::uint64_t moved = disk.apply(fill_holes(disk.live(), end));
        EXPECT_LE(moved, live);
        disk.check(end / 512);
        if (testing::Test::HasFatalFailure()) {
            return;
        }
    }
}

} // namespace
} // namespace rootfs
