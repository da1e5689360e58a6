// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/frames.hpp - page frames of the partition's RAM, each with a count of its
// users.
//
// Invariants: I1  a frame with count 0 is free; a free frame is in no page table and held by no
//                 object
//             I2  counts exist for RAM only: frames of the root image are neither counted nor ever
//                 freed One CPU, kernel not pre-empted: no lock. The unikernel links frames.cpp,
//                 hosted tests host_memory.cpp.
#pragma once

#include "hypervisor/base/address.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace uk::mm {

using base::PhysAddr;

enum class Fill { none, zero };

[[nodiscard]] std::optional<PhysAddr> allocate_frame(Fill fill); // count 1
// `count` frames in a row, each with count 1.
[[nodiscard]] std::optional<PhysAddr> allocate_frames(std::size_t count, Fill fill);

// The one frame of zeros that everybody may show, read-only and uncounted.
[[nodiscard]] std::optional<PhysAddr> zero_frame();

void retain_frame(PhysAddr frame);  // count + 1
void release_frame(PhysAddr frame); // count - 1; at 0 the frame is free
[[nodiscard]] unsigned frame_users(PhysAddr frame);

// The frame's bytes in the kernel's direct map. Root-image frames are mapped there too, read-only.
[[nodiscard]] std::byte* frame_data(PhysAddr frame);

// The frame whose bytes `data` lies in; data is what frame_data gave, or within that page.
[[nodiscard]] PhysAddr frame_of(const std::byte* data);

struct FrameCounts {
    std::size_t total; // all that the allocator manages
    std::size_t free;
};
[[nodiscard]] FrameCounts frame_counts();

} // namespace uk::mm
