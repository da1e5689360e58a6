// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/direct_map.cpp - frames.hpp: where the kernel sees a frame's bytes. Tests have
// their own.
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/mm/frames.hpp"

namespace uk::mm {

std::byte* frame_data(PhysAddr frame) {
    // SAFETY: the direct map covers all RAM and the root image.
    return reinterpret_cast<std::byte*>(machine::direct_map + frame.value());
}

PhysAddr frame_of(const std::byte* data) {
    return PhysAddr{
        base::round_down(reinterpret_cast<std::uint64_t>(data) - machine::direct_map, base::page_size)};
}

} // namespace uk::mm
