// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/screen/canvas.hpp"

#include <cstring>

namespace screen {

void Canvas::show(unsigned at, std::uint16_t cell) const {
    if (scale == 0)
        return void(std::memcpy(memory.subspan(at * sizeof cell, sizeof cell).data(), &cell, sizeof cell));
    const auto part = [cell](unsigned bit) { return (cell >> bit & 1u) * 0xaau + (cell >> 11 & 1u) * 0x55u; };
    const std::uint32_t red = part(10), blue = part(8);
    const std::uint32_t ink = (red_first ? blue : red) << 16 | part(9) << 8 | (red_first ? red : blue);
    const std::size_t letter = (cell & 0xffu) - first_letter;
    std::array<std::uint32_t, cell_width * max_scale> line{};
    const std::size_t bytes = cell_width * scale * sizeof line[0];
    std::size_t place = at / columns * cell_height * scale * line_bytes + at % columns * bytes;
    for (unsigned row = 0; row < dot_rows; ++row) {
        const unsigned dots = letter < letters ? font[letter][row] : 0;
        for (unsigned x = 0; x < cell_width * scale; ++x)
            line[x] = (dots >> x / scale & 1) != 0 ? ink : 0;
        for (unsigned i = 0; i < 2 * scale; ++i, place += line_bytes)
            std::memcpy(memory.subspan(place, bytes).data(), line.data(), bytes);
    }
}

} // namespace screen
