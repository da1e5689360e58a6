// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/screen/fit.hpp - where on firmware's frame buffer the cells go, and whether they fit.
//
// Pure. Trust: every number is firmware's.
#pragma once

#include "hypervisor/core/screen/canvas.hpp"

#include <algorithm>
#include <optional>

namespace screen {

// A frame buffer of 32 bits a pixel, as its protocol describes it.
struct FrameBuffer {
    std::uint64_t base = 0, bytes = 0; // base 0: none
    std::uint32_t width = 0, height = 0, pixels_a_line = 0;
    std::uint32_t format = 0; // UEFI 2.10 section 12.9.2: 0 red first, 1 blue first

    // Every pixel lies in it.
    [[nodiscard]] constexpr bool makes_sense() const {
        constexpr std::uint32_t most = 16384;
        return base != 0 && base % pixel == 0 && bytes <= ~std::uint64_t{0} - base && format <= 1 &&
               width != 0 && width <= pixels_a_line && pixels_a_line <= most && height != 0 &&
               height <= most && std::uint64_t{height} * pixels_a_line * pixel <= bytes;
    }
    static constexpr std::uint32_t pixel = 4;
};

struct Fit {
    std::uint64_t offset, bytes; // from the first to the last pixel of a cell, in the frame buffer
    std::size_t line_bytes;
    unsigned scale;
};
// More is never mapped: 4096 x 2160 pixels take a quarter of it.
inline constexpr std::uint64_t most_bytes = 32u << 20;

// The cells in the middle, as large as a person needs them; nothing: they do not fit.
constexpr std::optional<Fit> fit(const FrameBuffer& given) {
    constexpr std::uint32_t large_height = 1000; // lines that a scale more is worth
    if (!given.makes_sense())
        return std::nullopt;
    const std::uint32_t width = columns * cell_width, height = rows * cell_height;
    const std::uint32_t scale = std::min({std::max(given.height / large_height, 1u), given.width / width,
                                          given.height / height, std::uint32_t{max_scale}});
    if (scale == 0)
        return std::nullopt;
    const std::uint64_t left = (given.width - width * scale) / 2, top = (given.height - height * scale) / 2;
    const std::uint64_t line = std::uint64_t{given.pixels_a_line} * FrameBuffer::pixel;
    const Fit out{top * line + left * FrameBuffer::pixel,
                  (std::uint64_t{height} * scale - 1) * line +
                      std::uint64_t{width} * scale * FrameBuffer::pixel,
                  static_cast<std::size_t>(line), scale};
    return out.bytes <= most_bytes ? std::optional{out} : std::nullopt;
}

} // namespace screen
