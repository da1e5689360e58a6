// SPDX-License-Identifier: Apache-2.0
// partitions/uplink/host_seam.cpp - see host_seam.hpp.
#include "partitions/uplink/host_seam.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/base/log.hpp"
#include "partitions/unikernel/machine/clock.hpp"
#include "partitions/unikernel/machine/random.hpp"
#include "partitions/unikernel/mm/frames.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <cstdlib>
#include <unordered_set>

namespace uplink::host {

namespace {
std::unordered_set<void*>& blocks() {
    static std::unordered_set<void*> all;
    return all;
}
} // namespace

State& state() {
    static State the_state;
    return the_state;
}

void give_memory_back() {
    for (void* block : blocks())
        std::free(block);
    blocks().clear();
}

} // namespace uplink::host

namespace uk {

std::uint64_t monotonic_ns() {
    return uplink::host::state().now;
}

void log(std::string_view text) {
    uplink::host::state().lines.emplace_back(text);
}

void audit_denial(std::string_view text) {
    uplink::host::state().notes.emplace_back(text);
}

std::uint64_t machine::random_word() {
    static std::uint64_t word = 1;
    return word = word * 6364136223846793005u + 1442695040888963407u;
}

void* mm::allocate(std::size_t bytes) {
    auto& left = uplink::host::state().allocations_left;
    if (left == 0)
        return nullptr;
    --left;
    void* block = std::malloc(bytes);
    uplink::host::blocks().insert(block);
    return block;
}

void mm::free(void* memory) {
    if (memory == nullptr)
        return;
    base::expects(uplink::host::blocks().erase(memory) == 1, "memory that was not allocated");
    std::free(memory);
}

mm::FrameCounts mm::frame_counts() {
    constexpr std::size_t frames = 4096; // 16 MiB
    return {frames, frames};
}

} // namespace uk
