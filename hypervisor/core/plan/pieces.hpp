// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/pieces.hpp - which host memory is whose guest memory: what of a bound plan (bound_plan.hpp) is needed as
// long as partitions run.
//
// Pure.
#pragma once

#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fixed_vector.hpp"
#include "hypervisor/core/memory/run.hpp"
#include "hypervisor/core/plan/limits.hpp"

#include <optional>

namespace plan {

inline constexpr std::size_t max_pieces_per_region = 8;
inline constexpr std::size_t max_pieces = 384;

// Guest memory that is contiguous in host memory. The pieces of a region follow one another and fill it.
struct Piece {
    std::uint64_t gpa;
    memory::Run host;
    std::uint32_t partition;
    RegionKind kind;
    bool copied; // root image: copy the section here, then hash the copy; else it lies in the bundle
};
using Pieces = base::FixedVector<Piece, max_pieces>; // by partition, then gpa

[[nodiscard]] std::span<const Piece> pieces_of(std::span<const Piece> pieces, std::uint32_t partition);

// Where a guest-physical byte lies, and how many bytes from there on are contiguous in host memory.
struct HostMemory {
    base::PhysAddr address;
    std::uint64_t contiguous;
};
// Nothing where `gpa` is not in a piece of the partition.
[[nodiscard]] std::optional<HostMemory> host_memory(std::span<const Piece> pieces, std::uint32_t partition,
                                                    base::GuestPhysAddr gpa);

} // namespace plan
