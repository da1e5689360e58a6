// SPDX-License-Identifier: Apache-2.0
#include "hypervisor/core/plan/pieces.hpp"

#include <algorithm>

namespace plan {

std::span<const Piece> pieces_of(std::span<const Piece> pieces, std::uint32_t partition) {
    return {std::ranges::lower_bound(pieces, partition, {}, &Piece::partition),
            std::ranges::upper_bound(pieces, partition, {}, &Piece::partition)};
}

std::optional<HostMemory> host_memory(std::span<const Piece> pieces, std::uint32_t partition,
                                      base::GuestPhysAddr gpa) {
    for (const Piece& piece : pieces_of(pieces, partition)) {
        const std::uint64_t offset = gpa.value() - piece.gpa; // of an address below the piece: beyond its end
        if (offset < piece.host.bytes)
            return HostMemory{base::PhysAddr{piece.host.base + offset}, piece.host.bytes - offset};
    }
    return std::nullopt;
}

} // namespace plan
