// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/memory/pool.hpp - frames of the hypervisor's own: objects that live as long as the machine runs, and
// translation tables. Sealed before the first partition runs.
#pragma once

#include "arch/x86_64/cpu/raw.hpp"
#include "hypervisor/base/address.hpp"
#include "hypervisor/core/bytes/checked.hpp"
#include "hypervisor/core/memory/frame_pool.hpp"
#include "hypervisor/kernel/memory/own_tables.hpp"

#include <cstring>
#include <memory>

namespace hv {

// `count` zeroed frames. bind() sized the pool, so running out is our own bug.
inline base::PhysAddr take_frames(memory::FramePool& pool, std::uint64_t count,
                                  std::uint64_t alignment = 4096) {
    const auto frames = pool.take(count, alignment);
    base::expects(frames.has_value(), "frame pool: smaller than bind() was asked for");
    std::memset(cpu::pointer_to<char>(pool_address(*frames)), 0, count * base::page_size);
    return *frames;
}

template <typename T> constexpr std::uint64_t frames_for() {
    return bytes::units(sizeof(T), base::page_size);
}

template <typename T> T& make_in(memory::FramePool& pool) {
    T* place = cpu::pointer_to<T>(pool_address(take_frames(pool, frames_for<T>())));
    return *std::construct_at(place);
}

// Where translation tables live (core/paging TableMemory).
class TablePool {
public:
    explicit TablePool(memory::FramePool& pool) : pool_(&pool) {}
    [[nodiscard]] base::PhysAddr allocate() { return take_frames(*pool_, 1); }
    [[nodiscard]] std::uint64_t available() const { return pool_->free_frames(); }
    [[nodiscard]] std::uint64_t read(base::PhysAddr table, unsigned index) const {
        return entries(table)[index & 511];
    }
    void write(base::PhysAddr table, unsigned index, std::uint64_t entry) const {
        entries(table)[index & 511] = entry;
    }

private:
    // SAFETY of the store order: the compiler may not drop or reorder stores that a table walk sees.
    static volatile std::uint64_t* entries(base::PhysAddr table) {
        return cpu::pointer_to<volatile std::uint64_t>(pool_address(table));
    }
    memory::FramePool* pool_;
};

} // namespace hv
