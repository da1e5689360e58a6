// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/memory/frame_pool.hpp - finding free runs during bind, and the hypervisor's own frames
// after it.
//
// Pure. Invariants: a run lies in usable memory that nobody owns; the frame pool hands out each frame once
// and nothing after seal().
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/memory/ledger.hpp"
#include "hypervisor/core/memory/map.hpp"

#include <cstdint>
#include <optional>

namespace memory {

struct Run {
    std::uint64_t base;
    std::uint64_t bytes;
    [[nodiscard]] constexpr std::uint64_t end() const { return base + bytes; }
};

// The lowest free run of at least `bytes` whose base is a multiple of `alignment` (a power of two >= 4096),
// at or above `from`. Free: usable in `map` and in no grant.
[[nodiscard]] std::optional<Run> find_free(const Map& map, const Ledger& ledger, std::uint64_t bytes,
                                           std::uint64_t alignment, std::uint64_t from = 0);
// The longest free run with that alignment of base and length (the lowest of several).
[[nodiscard]] std::optional<Run> find_longest(const Map& map, const Ledger& ledger, std::uint64_t alignment);
[[nodiscard]] std::uint64_t free_bytes(const Map& map, const Ledger& ledger);

// The hypervisor's frames: filled by bind, used up by boot, then sealed.
class FramePool {
public:
    static constexpr std::size_t max_runs = 16;

    // A run of page-aligned frames joins the pool. Errors: misaligned, sealed, too_many_grants.
    [[nodiscard]] base::Status<Error> add(Run run);
    // One frame, contents undefined. Errors: out_of_frames, sealed.
    [[nodiscard]] base::Result<base::PhysAddr, Error> take();
    // `count` contiguous frames, base aligned to `alignment` (a power of two >= 4096).
    [[nodiscard]] base::Result<base::PhysAddr, Error> take(std::uint64_t count,
                                                           std::uint64_t alignment = 4096);
    void seal() { sealed_ = true; }
    [[nodiscard]] bool sealed() const { return sealed_; }
    [[nodiscard]] std::uint64_t total_frames() const;
    [[nodiscard]] std::uint64_t free_frames() const;
    [[nodiscard]] std::span<const Run> runs() const { return runs_.view(); }

private:
    base::FixedVector<Run, max_runs> runs_;      // as added
    base::FixedVector<Run, 2 * max_runs> rests_; // what is left of them
    bool sealed_ = false;
};

} // namespace memory
