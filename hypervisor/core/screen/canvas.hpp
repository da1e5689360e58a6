// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/screen/canvas.hpp - a cell of the screen in the memory that shows it: a frame buffer of 32 bits a pixel, or VGA's text.
//
// Pure. Trust: none in firmware's geometry: canvas_in() (fit.hpp) made it, and every store is within `memory`.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace screen {

inline constexpr unsigned columns = 80, rows = 25, cells = columns * rows;
inline constexpr unsigned cell_width = 8, cell_height = 16; // pixels, at scale 1
inline constexpr unsigned dot_rows = cell_height / 2, max_scale = 4;
inline constexpr std::size_t first_letter = ' ', letters = 95;
using Font = std::array<std::array<std::uint8_t, dot_rows>, letters>;

// As boot leaves it; all zero: there is no screen.
struct Canvas {
    std::span<std::byte> memory; // of the cells alone
    std::size_t line_bytes;
    unsigned scale; // 0: VGA's text
    bool red_first;
    Font font;

    // The low byte of a cell is its letter, the high byte VGA's colour; 0 is empty.
    void show(unsigned at, std::uint16_t cell) const;
};

} // namespace screen
