// SPDX-License-Identifier: Apache-2.0
// Any frame buffer that firmware may describe, and any text of a guest's: what is drawn lies within the frame buffer, and the
// text within its pane.
#include "hypervisor/core/screen/fit.hpp"
#include "hypervisor/core/screen/font.hpp"
#include "hypervisor/core/screen/grid.hpp"

#include <cstdlib>
#include <cstring>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace screen;
    FrameBuffer given;
    if (size < sizeof given + 2)
        return 0;
    std::memcpy(&given, data, sizeof given);
    Grid grid;
    Pane pane{.grid = &grid, .first = data[sizeof given] % (rows - 1u), .count = 1};
    pane.count += data[sizeof given + 1] % (rows - pane.first);
    pane.hear({reinterpret_cast<const char*>(data) + sizeof given, size - sizeof given});
    (void)pane.lay(data[sizeof given]);
    (void)pane.lay(cells);
    for (unsigned at = 0; at < cells; ++at)
        if (grid.wanted[at] != 0 && (at / columns < pane.first || at / columns >= pane.first + pane.count))
            std::abort();
    const auto fitted = fit(given);
    if (!fitted)
        return 0;
    if (fitted->offset > given.bytes || fitted->bytes > given.bytes - fitted->offset)
        std::abort();
    constexpr std::uint64_t quickly = 4u << 20;
    if (fitted->bytes > quickly)
        return 0;
    std::vector<std::byte> memory(fitted->bytes);
    const Canvas canvas{memory, fitted->line_bytes, fitted->scale, given.format == 0, font()};
    grid.draw(canvas, columns);
    canvas.show(cells - 1, 0x700 | 'x');
    return 0;
}
