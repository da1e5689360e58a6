// SPDX-License-Identifier: Apache-2.0
#include "partitions/unikernel/mm/heap.hpp"

#include "partitions/unikernel/mm/frames.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <vector>

// Frames of an arena; a frame's address is the page's own. None is used twice.
namespace uk::mm {
static std::size_t frames_in_use = 0, frames_most = ~std::size_t{0}, arena_used = 0;
alignas(4096) static std::byte arena[std::size_t{64} << 20];
std::optional<PhysAddr> allocate_frames(std::size_t count, Fill) {
    if (count > frames_most - frames_in_use || count > (sizeof(arena) - arena_used) / 4096)
        return std::nullopt;
    frames_in_use += count;
    std::byte* const first = arena + arena_used;
    arena_used += count * 4096;
    return PhysAddr{reinterpret_cast<std::uint64_t>(first)};
}
std::optional<PhysAddr> allocate_frame(Fill fill) {
    return allocate_frames(1, fill);
}
void release_frame(PhysAddr) {
    --frames_in_use;
}
std::byte* frame_data(PhysAddr frame) {
    return reinterpret_cast<std::byte*>(frame.value());
}
PhysAddr frame_of(const std::byte* data) {
    return PhysAddr{reinterpret_cast<std::uint64_t>(data) & ~std::uint64_t{4095}};
}
} // namespace uk::mm

namespace {

using namespace uk;

TEST(Heap, GivesAlignedMemoryThatIsNobodyElses) {
    std::mt19937 random{7};
    struct Piece {
        unsigned char* memory;
        std::size_t bytes;
        unsigned char fill;
    };
    std::vector<Piece> pieces;
    for (int step = 0; step < 20000; ++step) {
        if (random() % 5 < 3 || pieces.empty()) {
            const std::size_t bytes = random() % 8 == 0 ? random() % 20000 : random() % 600;
            auto* memory = static_cast<unsigned char*>(mm::allocate(bytes));
            ASSERT_NE(memory, nullptr);
            ASSERT_EQ(reinterpret_cast<std::uint64_t>(memory) % 16, 0u);
            const auto fill = static_cast<unsigned char>(random());
            std::memset(memory, fill, bytes);
            pieces.push_back({memory, bytes, fill});
        } else {
            std::swap(pieces[random() % pieces.size()], pieces.back());
            const Piece piece = pieces.back();
            pieces.pop_back();
            for (std::size_t i = 0; i < piece.bytes; ++i)
                ASSERT_EQ(piece.memory[i], piece.fill);
            mm::free(piece.memory);
        }
    }
    EXPECT_EQ(mm::heap_bytes(), mm::frames_in_use * 4096);
    for (const Piece& piece : pieces)
        mm::free(piece.memory);
    EXPECT_LE(mm::frames_in_use, 12u) << "at most one empty frame a size class is kept";
    mm::free(nullptr);
}

TEST(Heap, RunsOutCleanly) {
    mm::frames_most = mm::frames_in_use + 2;
    std::vector<void*> pieces;
    while (void* memory = mm::allocate(2000))
        pieces.push_back(memory);
    EXPECT_EQ(mm::allocate(100000), nullptr);
    EXPECT_EQ(mm::allocate(~std::size_t{0}), nullptr);
    for (void* memory : pieces)
        mm::free(memory);
    mm::frames_most = ~std::size_t{0};
    void* again = mm::allocate(2000);
    EXPECT_NE(again, nullptr);
    mm::free(again);
}

} // namespace
