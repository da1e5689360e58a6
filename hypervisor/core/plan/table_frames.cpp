// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/table_frames.cpp - how many frames the second-stage tables of a bound plan take at most.
//
// A table of one level covers a window. A run needs one for each window that it touches and does not fill with one leaf of the
// window's size; a window that two runs share is counted for both.
#include "hypervisor/core/plan/bind.hpp"

#include "hypervisor/base/address.hpp"

#include <algorithm>

namespace plan {
namespace {

std::uint64_t tables_of(std::uint64_t gpa, const memory::Run& run, std::uint64_t window, bool leaves) {
    const std::uint64_t end = gpa + run.bytes, touched = (end - 1) / window - gpa / window + 1;
    if (!leaves || gpa % window != run.base % window)
        return touched;
    return std::min<std::uint64_t>(touched, (gpa % window != 0 ? 1 : 0) + (end % window != 0 ? 1 : 0));
}

} // namespace

std::uint64_t table_frames(const BoundPlan& bound, const Options& options) {
    const bool large = options.large_pages && options.large_executable_pages;
    std::uint64_t frames = 0;
    std::uint32_t partition = no_index;
    for (const Placement& placement : bound.placements) {
        frames += placement.partition != partition ? 1 : 0; // the root table
        partition = placement.partition;
        std::uint64_t gpa = placement.gpa;
        for (const memory::Run& run : bound.runs_of(placement)) {
            frames += tables_of(gpa, run, base::large_page_size, large) +
                      tables_of(gpa, run, base::huge_page_size, large && options.huge_pages) +
                      tables_of(gpa, run, std::uint64_t{512} << 30, false);
            gpa += run.bytes;
        }
    }
    return frames;
}

} // namespace plan
