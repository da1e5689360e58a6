// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/screen/fit.hpp"
#include "hypervisor/core/screen/font.hpp"
#include "hypervisor/core/screen/grid.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace {

using namespace screen;

// The letters of a row as they are wanted.
std::string row_of(const Grid& grid, unsigned row) {
    std::string out;
    for (unsigned i = 0; i < columns; ++i) {
        const auto letter = static_cast<char>(grid.wanted[row * columns + i] & 0xff);
        out += letter == 0 ? ' ' : letter;
    }
    return out.substr(0, out.find_last_not_of(' ') + 1);
}

void put(Pane& pane, std::string_view text) {
    pane.hear(std::span{text});
    (void)pane.lay(cells);
}

TEST(Screen, APaneShowsTheLastLines) {
    Grid grid;
    Pane pane{.grid = &grid, .first = 3, .count = 2};
    put(pane, "one\ntwo");
    EXPECT_EQ(row_of(grid, 3), "one");
    EXPECT_EQ(row_of(grid, 4), "two");
    put(pane, " and\n");
    EXPECT_EQ(row_of(grid, 4), "two and");
    put(pane, "\nfour");
    EXPECT_EQ(row_of(grid, 3), "two and"); // an empty line takes no row
    EXPECT_EQ(row_of(grid, 4), "four");
    EXPECT_EQ(row_of(grid, 2) + row_of(grid, 5), "");
}

TEST(Screen, WhatAGuestSaysStaysInItsPaneAndIsNoCommand) {
    Grid grid;
    grid.write(2 * columns, "above", Colour::title);
    grid.write(5 * columns, "below", Colour::title);
    Pane pane{.grid = &grid, .first = 3, .count = 2};
    put(pane, "\x1b[2J\x1b[1;1Hhome\x9b\x08\x7f\xff\0x");
    EXPECT_EQ(row_of(grid, 3), "?[2J?[1;1Hhome???");
    put(pane, std::string(1000, 'w'));
    put(pane, "\r\n\t\xc3\xa4\rA");
    EXPECT_EQ(row_of(grid, 4), "A?");
    EXPECT_EQ(row_of(grid, 2), "above");
    EXPECT_EQ(row_of(grid, 5), "below");
    EXPECT_EQ(row_of(grid, 3), std::string(1000 + 17 - 12 * 80, 'w'));
}

TEST(Screen, WhatWasHeardIsLaidOutBitByBit) {
    Grid grid;
    Pane pane{.grid = &grid, .first = 0, .count = 2};
    pane.hear(std::span{std::string_view{"abcdef"}});
    EXPECT_TRUE(grid.changed);
    EXPECT_EQ(row_of(grid, 0), "");
    EXPECT_TRUE(pane.lay(4));
    EXPECT_EQ(row_of(grid, 0), "abcd");
    EXPECT_FALSE(pane.lay(4));
    EXPECT_EQ(row_of(grid, 0), "abcdef");
    pane.hear(std::span{std::string_view{std::string(5000, 'x') + "\nlast"}});
    EXPECT_FALSE(pane.lay(cells)) << "only what is still there";
    EXPECT_EQ(row_of(grid, 1), "last");
    Pane none;
    none.hear(std::span{std::string_view{"nowhere"}});
    EXPECT_FALSE(none.lay(cells));
}

TEST(Screen, ALongLineGoesOnInTheNextRow) {
    Grid grid;
    Pane pane{.grid = &grid, .first = 0, .count = 3};
    put(pane, std::string(80, 'a') + "\nb");
    EXPECT_EQ(row_of(grid, 0), std::string(80, 'a'));
    EXPECT_EQ(row_of(grid, 1), "b");
    put(pane, "\n" + std::string(81, 'c'));
    EXPECT_EQ(row_of(grid, 0), "b");
    EXPECT_EQ(row_of(grid, 2), "c");
}

// As a panic may find a pane that another CPU is writing to.
TEST(Screen, NumbersThatDoNotFitTogetherLeaveItsCells) {
    for (const unsigned used : {0u, 2u, 5u, 4'000'000'000u})
        for (const unsigned column : {81u, 1'000'000u}) {
            const auto grid = std::make_unique<Grid>();
            Pane pane{.grid = grid.get(), .first = used == 0 ? 0 : rows - 1, .count = 1};
            pane.used = used;
            pane.column = column;
            pane.full = false;
            pane.laid = 7; // more than was heard
            EXPECT_TRUE(pane.lay(cells));
            put(pane, "x\ny");
        }
}

TEST(Screen, TextIsCutAtTheRowsEnd) {
    Grid grid;
    grid.write(columns + 78, "abc", Colour::plain);
    EXPECT_EQ(row_of(grid, 1), std::string(78, ' ') + "ab");
    EXPECT_EQ(row_of(grid, 2), "");
    grid.write(cells - 1, "xyz", Colour::plain);
}

TEST(Screen, DrawsSoManyCellsAndTheRestLater) {
    std::vector<std::byte> memory(cells * 2);
    const Canvas text{memory, 0, 0, false, {}};
    Grid grid;
    grid.write(0, "abcdef", Colour::bad);
    grid.draw(text, 4);
    EXPECT_TRUE(grid.changed);
    EXPECT_EQ(memory[6], std::byte{'d'});
    EXPECT_EQ(memory[7], std::byte{0x0c});
    EXPECT_EQ(memory[8], std::byte{0});
    grid.draw(text, 4);
    EXPECT_FALSE(grid.changed);
    EXPECT_EQ(memory[10], std::byte{'f'});
}

// What a person would read, by the font.
TEST(Screen, EveryLetterIsDrawnWhereItBelongs) {
    for (const unsigned scale : {1u, 2u, 4u}) {
        const FrameBuffer given{0x1000, 4096u * 1700 * 4, 4000, 1700, 4096, 1};
        auto where = fit(given);
        ASSERT_TRUE(where);
        EXPECT_EQ(where->scale, 1u);
        const std::size_t line = columns * cell_width * scale * 4 + 64;
        std::vector<std::byte> memory((rows * cell_height * scale - 1) * line +
                                      columns * cell_width * scale * 4);
        const Canvas canvas{memory, line, scale, false, font()};
        for (const unsigned at : {0u, 79u, 80u, cells - 1})
            for (unsigned letter = 0; letter < 256; ++letter) {
                canvas.show(at, static_cast<std::uint16_t>(0xc00 | letter));
                for (unsigned y = 0; y < cell_height * scale; ++y)
                    for (unsigned x = 0; x < cell_width * scale; ++x) {
                        std::uint32_t pixel = 0;
                        std::memcpy(&pixel,
                                    &memory[(at / columns * cell_height * scale + y) * line +
                                            (at % columns * cell_width * scale + x) * 4],
                                    4);
                        const bool known = letter >= first_letter && letter < first_letter + letters;
                        const unsigned dot = x / scale;
                        const bool set = known && dot >= 1 && dot <= 5 &&
                                         drawn[letter - first_letter][y / scale / 2 * 6 + dot - 1] == '#';
                        ASSERT_EQ(pixel, set ? 0xff5555u : 0u) << letter << " at " << at;
                    }
            }
    }
}

TEST(Screen, RedIsRedInBothOrders) {
    for (const bool red_first : {false, true}) {
        std::vector<std::byte> memory(640 * 400 * 4);
        const Canvas canvas{memory, 640 * 4, 1, red_first, font()};
        canvas.show(0, 0xc00 | '_');
        std::uint32_t pixel = 0;
        std::memcpy(&pixel, &memory[(12 * 640 + 1) * 4], 4);
        EXPECT_EQ(pixel, red_first ? 0x5555ffu : 0xff5555u);
    }
}

TEST(Screen, FitsOrIsNotUsed) {
    const auto of = [](std::uint32_t width, std::uint32_t height, std::uint32_t line) {
        return fit({0x80000000, std::uint64_t{line} * height * 4, width, height, line, 0});
    };
    ASSERT_TRUE(of(1280, 800, 1280));
    EXPECT_EQ(of(1280, 800, 1280)->scale, 1u);
    EXPECT_EQ(of(1280, 800, 1280)->offset, (200 * 1280 + 320) * 4u);
    EXPECT_EQ(of(3840, 2160, 3840)->scale, 2u);
    EXPECT_EQ(of(640, 400, 640)->offset, 0u);
    EXPECT_EQ(of(640, 400, 640)->bytes, 640u * 400 * 4);
    EXPECT_FALSE(of(639, 400, 640));
    EXPECT_FALSE(of(640, 399, 640));
    EXPECT_EQ(of(640, 16000, 640)->scale, 1u);
    EXPECT_FALSE(of(16384, 16384, 16384)) << "more than is ever mapped";
    EXPECT_FALSE(fit({0x80000000, 640 * 400 * 4 - 1, 640, 400, 640, 0}));
    EXPECT_FALSE(fit({0x80000002, 640 * 400 * 4, 640, 400, 640, 0}));
}

} // namespace
