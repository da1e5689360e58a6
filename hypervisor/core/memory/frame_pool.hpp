// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/frame_pool.hpp - the hypervisor's own frames: filled by bind, used up by boot, then sealed.
//
// Pure. Invariant: each frame is handed out once, and nothing after seal().
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/core/memory/runs.hpp"

namespace memory {

class FramePool {
public:
    // Whole pages join the pool. False: sealed, or too many runs.
    [[nodiscard]] bool add(const Run& run) {
        return !sealed_ && all_.add(run.base, run.bytes) && rest_.add(run.base, run.bytes);
    }
    // `count` contiguous frames, contents undefined, base aligned to `alignment` (a power of two >= 4096), or nothing.
    [[nodiscard]] std::optional<base::PhysAddr> take(std::uint64_t count = 1,
                                                     std::uint64_t alignment = base::page_size) {
        if (sealed_ || count == 0 || count > free_frames())
            return std::nullopt;
        const auto run = rest_.find(count * base::page_size, alignment);
        if (!run || !rest_.remove(run->base, run->bytes))
            return std::nullopt;
        return base::PhysAddr{run->base};
    }
    void seal() { sealed_ = true; }
    [[nodiscard]] std::uint64_t total_frames() const { return all_.bytes() / base::page_size; }
    [[nodiscard]] std::uint64_t free_frames() const { return rest_.bytes() / base::page_size; }
    [[nodiscard]] std::span<const Run> runs() const { return all_.view(); }

private:
    Runs all_, rest_;
    bool sealed_ = false;
};

} // namespace memory
