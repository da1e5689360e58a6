// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/frame_pool.cpp
#include "hypervisor/core/memory/frame_pool.hpp"

#include <algorithm>

namespace memory {

namespace {

std::optional<std::uint64_t> align_up(std::uint64_t value, std::uint64_t alignment) {
    return base::round_up(value, alignment);
}

// Calls `use(base, bytes)` for every free run in ascending order until it returns true.
template <typename Use> void each_free(const Map& map, const Ledger& ledger, Use&& use) {
    for (const Range& range : map) {
        if (range.kind != Kind::usable)
            continue;
        std::uint64_t at = range.base;
        while (at < range.end()) {
            const Grant* owned = ledger.next(at);
            const std::uint64_t end =
                owned == nullptr ? range.end() : std::clamp(owned->base, at, range.end());
            if (end > at && use(at, end - at))
                return;
            at = owned == nullptr ? range.end() : std::max(owned->end(), end);
        }
    }
}

} // namespace

std::optional<Run> find_free(const Map& map, const Ledger& ledger, std::uint64_t bytes,
                             std::uint64_t alignment, std::uint64_t from) {
    std::optional<Run> found;
    each_free(map, ledger, [&](std::uint64_t base, std::uint64_t length) {
        const auto start = align_up(std::max(base, from), alignment);
        if (!start || *start < base || *start - base > length || length - (*start - base) < bytes)
            return false;
        found = Run{*start, bytes};
        return true;
    });
    return found;
}

std::optional<Run> find_longest(const Map& map, const Ledger& ledger, std::uint64_t alignment) {
    std::optional<Run> longest;
    each_free(map, ledger, [&](std::uint64_t base, std::uint64_t length) {
        const auto start = align_up(base, alignment);
        const std::uint64_t end = base::round_down(base + length, alignment);
        if (start && *start < end && (!longest || end - *start > longest->bytes))
            longest = Run{*start, end - *start};
        return false;
    });
    return longest;
}

std::uint64_t free_bytes(const Map& map, const Ledger& ledger) {
    std::uint64_t sum = 0;
    each_free(map, ledger, [&sum](std::uint64_t, std::uint64_t length) {
        sum += length;
        return false;
    });
    return sum;
}

base::Status<Error> FramePool::add(Run run) {
    if (sealed_)
        return base::Failure{Error::sealed};
    if (run.bytes == 0 || run.base % base::page_size != 0 || run.bytes % base::page_size != 0)
        return base::Failure{Error::misaligned};
    if (runs_.size() == max_runs || !rests_.push_back(run))
        return base::Failure{Error::too_many_grants};
    return runs_.push_back(run) ? base::Status<Error>{base::success} : base::Failure{Error::too_many_grants};
}

base::Result<base::PhysAddr, Error> FramePool::take() {
    return take(1);
}

base::Result<base::PhysAddr, Error> FramePool::take(std::uint64_t count, std::uint64_t alignment) {
    if (sealed_)
        return base::Failure{Error::sealed};
    if (count == 0 || count > address_limit / base::page_size)
        return base::Failure{Error::out_of_frames};
    const std::uint64_t bytes = count * base::page_size;
    for (std::size_t i = 0; i < rests_.size(); ++i) {
        const Run rest = rests_[i];
        const auto start = align_up(rest.base, alignment);
        if (!start || *start >= rest.end() || rest.end() - *start < bytes)
            continue;
        const Run before{rest.base, *start - rest.base};
        const Run after{*start + bytes, rest.end() - *start - bytes};
        // What alignment skips stays for later, unless no place is left to note it.
        if (before.bytes == 0) {
            rests_[i] = after;
        } else {
            if (after.bytes != 0 && !rests_.insert(i + 1, after))
                continue;
            rests_[i] = before;
        }
        if (rests_[i].bytes == 0)
            rests_.erase(i);
        return base::PhysAddr{*start};
    }
    return base::Failure{Error::out_of_frames};
}

std::uint64_t FramePool::total_frames() const {
    std::uint64_t frames = 0;
    for (const Run& run : runs_)
        frames += run.bytes / base::page_size;
    return frames;
}

std::uint64_t FramePool::free_frames() const {
    std::uint64_t frames = 0;
    for (const Run& run : rests_)
        frames += run.bytes / base::page_size;
    return frames;
}

} // namespace memory
