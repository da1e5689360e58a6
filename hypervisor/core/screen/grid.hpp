// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/screen/grid.hpp - what the screen says, as cells; drawn some cells at a time by who has nothing else to do.
//
// Pure. Writing changes cells here; the memory that is shown is touched by draw() alone.
// Everything but `changed` belongs to who holds the line (kernel/console). A panic takes the line without its lock while another CPU
// may be in the middle of a letter: what it shows may be mixed up then, never beyond the cells (I3).
// Invariants: I1  a pane writes within its rows, whatever the bytes: one cell a byte, no escape sequences
//             I2  draw() draws at most as many cells as it is told
//             I3  no index is beyond its array, whatever two CPUs that write at once leave of the numbers
#pragma once

#include "hypervisor/core/screen/canvas.hpp"

#include <algorithm>
#include <atomic>
#include <string_view>

namespace screen {

// VGA's attributes, on black.
enum class Colour : std::uint16_t { plain = 0x700, good = 0xa00, bad = 0xc00, title = 0xf00 };

struct Grid {
    std::array<std::uint16_t, cells> wanted{}, shown{};
    unsigned next = 0;
    std::atomic<bool> changed = false;

    void put(unsigned at, std::uint16_t cell) {
        if (at < cells)
            wanted[at] = cell;
        changed.store(true, std::memory_order_relaxed);
    }
    // Over what stands there, cut at the row's end.
    void write(unsigned at, std::string_view text, Colour colour) {
        for (const char c : std::span{text}.first(std::min<std::size_t>(text.size(), columns - at % columns)))
            put(at++,
                static_cast<std::uint16_t>(static_cast<unsigned>(colour) | static_cast<unsigned char>(c)));
    }
    // `more`: will be written soon.
    void draw(const Canvas& canvas, unsigned most, bool more = false) {
        changed.store(more, std::memory_order_relaxed);
        for (unsigned i = 0; i < cells; ++i, next = (next + 1) % cells) {
            if (wanted[next] == shown[next])
                continue;
            if (most-- == 0)
                return changed.store(true, std::memory_order_relaxed);
            canvas.show(next, shown[next] = wanted[next]);
        }
    }
};

// The last lines of something, in rows of its own.
struct Pane {
    Grid* grid = nullptr; // none: nothing is shown
    unsigned first = 0, count = 0;
    Colour colour = Colour::plain;
    unsigned column = 0, used = 0;     // rows that are begun
    bool full = true;                  // the next byte begins a row
    std::uint64_t heard = 0, laid = 0; // of `said`; what is not laid out in time is lost
    std::array<char, 1024> said{};

    // As quick as a copy, for it may be in somebody's exit; lay() makes cells of so many bytes later. True: there are more.
    void hear(std::span<const char> text) {
        if (grid == nullptr)
            return;
        for (const char c : text)
            said[heard++ % said.size()] = c;
        grid->changed.store(true, std::memory_order_relaxed);
    }
    [[nodiscard]] bool lay(unsigned most) {
        laid = std::max(laid, heard - std::min<std::uint64_t>(heard, said.size()));
        for (; laid != heard && most != 0; --most)
            put(static_cast<unsigned char>(said[laid++ % said.size()]));
        return laid != heard;
    }

private:
    void put(unsigned c) {
        if (c == '\n' || c == '\r') {
            full = full || c == '\n';
            column = 0;
        } else if ((c & 0xc0) != 0x80) { // else the rest of a character of several bytes
            if (full || column >= columns)
                begin_row();
            const unsigned letter = c == '\t' ? ' ' : c > '~' || c < ' ' ? '?' : c;
            grid->put((first + used - 1) * columns + column++,
                      static_cast<std::uint16_t>(static_cast<unsigned>(colour) | letter));
        }
    }
    void begin_row() {
        full = false;
        column = 0;
        if (used < count)
            return void(++used);
        for (unsigned at = first * columns; at < (first + count) * columns; ++at)
            grid->put(at, at < (first + count - 1) * columns ? grid->wanted[at + columns] : std::uint16_t{0});
    }
};

} // namespace screen
