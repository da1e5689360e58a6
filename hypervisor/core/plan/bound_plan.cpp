// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/plan/bound_plan.cpp
#include "hypervisor/core/plan/bound_plan.hpp"

#include <algorithm>

namespace plan {

std::span<const Piece> BoundPlan::pieces_of(std::uint32_t partition) const {
    return {std::ranges::lower_bound(pieces, partition, {}, &Piece::partition),
            std::ranges::upper_bound(pieces, partition, {}, &Piece::partition)};
}

std::optional<std::uint64_t> BoundPlan::host_address(std::uint32_t partition, std::uint64_t gpa,
                                                     std::uint64_t* contiguous) const {
    for (const Piece& piece : pieces_of(partition)) {
        const std::uint64_t offset = gpa - piece.gpa; // of an address below the piece: beyond its end
        if (offset >= piece.host.bytes)
            continue;
        if (contiguous != nullptr)
            *contiguous = piece.host.bytes - offset;
        return piece.host.base + offset;
    }
    return std::nullopt;
}

std::uint32_t BoundPlan::time_cpu() const {
    constexpr std::uint32_t highest_apic_id = 254;
    for (std::uint32_t rank = 0; rank < cpus.size(); ++rank)
        if (cpus[rank].partition == no_index && cpus[rank].apic_id <= highest_apic_id)
            return rank;
    return 0;
}

} // namespace plan
