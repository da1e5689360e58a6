// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/frames.cpp - a bitmap of free frames and a 32-bit count of users for each. See
// frames.hpp.
#include "partitions/unikernel/mm/frames.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/mm/frame_setup.hpp"
#include "partitions/unikernel/mm/object.hpp"

#include <bit>
#include <cstring>

namespace uk::mm {

namespace {

constexpr std::uint64_t bits = 64;
std::uint64_t* free_bits = nullptr; // set: free
std::uint32_t* users = nullptr;
std::uint64_t frame_count = 0; // frames below the end of RAM
std::uint64_t hint = 0;        // word where the search for one frame starts
FrameCounts counts{};
std::optional<PhysAddr> zeros;

void take(std::uint64_t index) {
    free_bits[index / bits] &= ~(std::uint64_t{1} << index % bits);
    users[index] = 1;
    --counts.free;
}

void give(std::uint64_t index) {
    free_bits[index / bits] |= std::uint64_t{1} << index % bits;
    ++counts.free;
}

std::uint64_t index_of(PhysAddr frame) {
    const std::uint64_t index = frame.value() / base::page_size;
    base::expects(index < frame_count, "frames: outside RAM");
    return index;
}

} // namespace

std::uint64_t frame_table_bytes(std::uint64_t end_of_ram) {
    const std::uint64_t frames = end_of_ram / base::page_size;
    const std::uint64_t words = (frames + bits - 1) / bits;
    return words * 8 + frames * sizeof(std::uint32_t);
}

void set_up_frames(std::uint64_t end_of_ram, std::byte* table) {
    std::memset(table, 0, frame_table_bytes(end_of_ram));
    frame_count = end_of_ram / base::page_size;
    hint = 0;
    counts = {};
    zeros.reset();
    // SAFETY: the table is page aligned and as large as frame_table_bytes says.
    free_bits = reinterpret_cast<std::uint64_t*>(table);
    users = reinterpret_cast<std::uint32_t*>(free_bits + (frame_count + bits - 1) / bits);
}

void add_frames(PhysAddr start, PhysAddr end) {
    std::uint64_t index = start.value() / base::page_size;
    const std::uint64_t stop = end.value() / base::page_size;
    counts.total += stop > index ? stop - index : 0;
    while (index < stop) {
        if (index % bits == 0 && stop - index >= bits) { // a word of the bitmap at once
            free_bits[index / bits] = ~std::uint64_t{0};
            counts.free += bits;
            index += bits;
        } else {
            give(index++);
        }
    }
}

std::optional<PhysAddr> allocate_frame(Fill fill) {
    if (counts.free == 0 && (!fs::give_back_kept() || counts.free == 0))
        return std::nullopt;
    const std::uint64_t words = (frame_count + bits - 1) / bits;
    while (free_bits[hint] == 0)
        hint = hint + 1 == words ? 0 : hint + 1;
    const std::uint64_t index = hint * bits + static_cast<unsigned>(std::countr_zero(free_bits[hint]));
    take(index);
    const PhysAddr frame{index * base::page_size};
    if (fill == Fill::zero)
        std::memset(frame_data(frame), 0, base::page_size);
    return frame;
}

namespace {

std::optional<PhysAddr> take_run(std::size_t count, Fill fill) {
    // From the top, so that runs and single frames keep apart.
    std::uint64_t run = 0;
    for (std::uint64_t index = frame_count; index-- > 0;) {
        if (index % bits == bits - 1 && free_bits[index / bits] == 0) {
            run = 0;
            index -= bits - 1;
            continue;
        }
        run = (free_bits[index / bits] >> index % bits & 1) != 0 ? run + 1 : 0;
        if (run != count)
            continue;
        for (std::uint64_t i = index; i < index + count; ++i)
            take(i);
        const PhysAddr frame{index * base::page_size};
        if (fill == Fill::zero)
            std::memset(frame_data(frame), 0, count * base::page_size);
        return frame;
    }
    return std::nullopt;
}

} // namespace

std::optional<PhysAddr> allocate_frames(std::size_t count, Fill fill) {
    if (count == 1)
        return allocate_frame(fill);
    auto run = take_run(count, fill);
    if (!run && fs::give_back_kept())
        run = take_run(count, fill);
    return run;
}

std::optional<PhysAddr> zero_frame() {
    if (!zeros)
        zeros = allocate_frame(Fill::zero);
    return zeros;
}

void retain_frame(PhysAddr frame) {
    const std::uint64_t index = index_of(frame);
    base::expects(users[index] > 0 && users[index] < ~std::uint32_t{0}, "frames: retain");
    ++users[index];
}

void release_frame(PhysAddr frame) {
    const std::uint64_t index = index_of(frame);
    base::expects(users[index] > 0, "frames: released too often");
    if (--users[index] == 0) {
        give(index);
        if (index / bits < hint)
            hint = index / bits;
    }
}

unsigned frame_users(PhysAddr frame) {
    return users[index_of(frame)];
}

FrameCounts frame_counts() {
    return counts;
}

} // namespace uk::mm
