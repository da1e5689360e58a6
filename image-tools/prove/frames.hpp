// SPDX-License-Identifier: Apache-2.0
// image-tools/prove/frames.hpp - pages of a stopped machine, and whose a frame is by the plan.
#pragma once

#include "image-tools/prove/intended.hpp"
#include "image-tools/prove/walker.hpp"

#include <array>
#include <cstring>

namespace prove {

inline constexpr std::uint64_t page = 4096;
using Page = std::array<std::byte, page>;

template <typename T> T field(const Page& bytes, std::size_t offset) {
    T value;
    std::memcpy(&value, bytes.data() + offset, sizeof value);
    return value;
}

// Calls visit(address, its bytes) for each whole page that can be read.
template <typename Visit>
void each_page(PhysicalMemory& memory, const std::vector<Range>& ranges, Visit visit) {
    Page bytes;
    for (const Range& range : ranges)
        for (std::uint64_t at = (range.base + page - 1) / page * page; at + page <= range.end(); at += page)
            if (memory.read(at, bytes))
                visit(at, bytes);
}

std::string pages_text(std::uint64_t bytes);

// The partition whose RAM or root image a frame is, by the plan; null: nobody's.
const Backing* owner_of(const Intended& intended, std::uint64_t frame);
// In words, whatever it is.
std::string whose(const Intended& intended, std::uint64_t frame);

} // namespace prove
