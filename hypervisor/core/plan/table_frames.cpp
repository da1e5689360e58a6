// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/table_frames.cpp - how many frames the second-stage tables of a bound plan take.
//
// A table of level n covers a window of 4 KiB << 9n. It exists where something in its window is mapped with
// leaves smaller than the window. Placements and runs come in ascending guest-physical order, so a window is
// counted when it differs from the last one counted on its level.
#include "hypervisor/core/plan/bind.hpp"

#include "hypervisor/base/address.hpp"

#include <algorithm>

namespace plan {

namespace {

class Counter {
public:
    void add(std::uint64_t gpa, std::uint64_t host, std::uint64_t bytes, const Options& options) {
        const bool large = options.large_pages && options.large_executable_pages;
        touch(top_, gpa, gpa + bytes, std::uint64_t{512} << 30);
        smaller_than(huge_, gpa, host, bytes, base::huge_page_size, large && options.huge_pages);
        smaller_than(large_, gpa, host, bytes, base::large_page_size, large);
    }
    [[nodiscard]] std::uint64_t frames() const { return frames_ + 1; } // and the root table

private:
    struct Level {
        std::uint64_t counted_to = 0; // end of the last window counted
    };

    void touch(Level& level, std::uint64_t from, std::uint64_t to, std::uint64_t window) {
        from = std::max(base::round_down(from, window), level.counted_to);
        if (from >= to)
            return;
        const std::uint64_t windows = (to - from + window - 1) / window;
        frames_ += windows;
        level.counted_to = from + windows * window;
    }
    // Counts the windows of which not the whole is one leaf of the window's size.
    void smaller_than(Level& level, std::uint64_t gpa, std::uint64_t host, std::uint64_t bytes,
                      std::uint64_t window, bool leaves) {
        const std::uint64_t end = gpa + bytes;
        const std::uint64_t first = (gpa + window - 1) & ~(window - 1);
        const std::uint64_t last = base::round_down(end, window);
        if (!leaves || gpa % window != host % window || first >= last) {
            touch(level, gpa, end, window);
            return;
        }
        touch(level, gpa, first, window);
        touch(level, last, end, window);
    }

    std::uint64_t frames_ = 0;
    Level top_;
    Level huge_;
    Level large_;
};

} // namespace

std::uint64_t table_frames(const BoundPlan& bound, const Options& options) {
    std::uint64_t frames = 0;
    std::size_t i = 0;
    while (i < bound.placements.size()) {
        const std::uint32_t partition = bound.placements[i].partition;
        Counter counter;
        for (; i < bound.placements.size() && bound.placements[i].partition == partition; ++i) {
            std::uint64_t gpa = bound.placements[i].gpa;
            for (const memory::Run& run : bound.runs_of(bound.placements[i])) {
                counter.add(gpa, run.base, run.bytes, options);
                gpa += run.bytes;
            }
        }
        frames += counter.frames();
    }
    return frames;
}

} // namespace plan
