// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/wires/memory.cpp - lwIP's memory: the kernel's heap, an eighth of the partition's memory at most. The uplink's is
// the same.
#include "hypervisor/base/address.hpp"
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

#include <lwip/opt.h>

namespace uk::wires {

namespace {

constexpr std::uint64_t share = 8;
std::uint64_t held = 0; // bytes that lwIP has

// In front of each of its blocks.
struct alignas(16) Block {
    std::uint64_t bytes;
};

} // namespace

} // namespace uk::wires

extern "C" {

void* caisson_lwip_allocate(unsigned long bytes) {
    using namespace uk::wires;
    const std::uint64_t most = uk::mm::frame_counts().total * base::page_size / share;
    if (bytes > most || held > most - bytes)
        return nullptr;
    auto* block = static_cast<Block*>(uk::mm::allocate(sizeof(Block) + bytes));
    if (block == nullptr)
        return nullptr;
    block->bytes = bytes;
    held += bytes;
    return block + 1;
}

void* caisson_lwip_allocate_cleared(unsigned long count, unsigned long bytes) {
    void* memory = caisson_lwip_allocate(count * bytes);
    if (memory != nullptr)
        std::memset(memory, 0, count * bytes);
    return memory;
}

void caisson_lwip_free(void* memory) {
    using namespace uk::wires;
    if (memory == nullptr)
        return;
    Block* block = static_cast<Block*>(memory) - 1;
    held -= block->bytes;
    uk::mm::free(block);
}

void caisson_lwip_failed(const char* what) {
    base::fail(what, "lwIP", 0);
}
}
