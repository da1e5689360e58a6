// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/page_map.hpp - page index to frame, for the contents of one file: a radix tree.
//
// A file of one page costs no table; tables of 64 pointers are added as the file grows, holes cost nothing.
#pragma once

#include "partitions/unikernel/mm/frames.hpp"

#include <cstddef>
#include <cstdint>

namespace uk::fs {

class PageMap {
public:
    PageMap() = default;
    PageMap(const PageMap&) = delete;
    PageMap& operator=(const PageMap&) = delete;
    ~PageMap() { truncate(0); }

    // The frame's bytes, or nullptr.
    [[nodiscard]] std::byte* find(std::uint64_t page) const;
    [[nodiscard]] mm::PhysAddr frame(std::uint64_t page) const; // the page is in the map
    // Takes over the caller's use of `frame`. False, and nothing taken, when the heap is exhausted.
    // The page is not in the map yet.
    [[nodiscard]] bool insert(std::uint64_t page, mm::PhysAddr frame);
    // Releases the frames of `first` and above; returns how many.
    std::uint64_t truncate(std::uint64_t first);
    // Releases the frames of [first, end), but at most `most`; returns how many. `first` is then the next page that has one.
    std::uint64_t remove(std::uint64_t& first, std::uint64_t end, std::uint64_t most);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    // The first page >= `from` that has a frame; `none` where there is no more.
    [[nodiscard]] std::uint64_t next(std::uint64_t from) const;
    static constexpr std::uint64_t none = ~std::uint64_t{0};

private:
    static constexpr unsigned fan_log2 = 6;
    static constexpr unsigned max_height = 9; // 2^54 pages: every 64-bit offset
    struct Table;

    [[nodiscard]] std::uint64_t slot(std::uint64_t page) const;
    void release_tables();
    [[nodiscard]] bool grow(std::uint64_t page);

    // Of a slot: 0 nothing; at the lowest level a frame's address, above the address of a Table.
    std::uint64_t root_ = 0;
    unsigned height_ = 0;
    std::uint64_t count_ = 0;
};

} // namespace uk::fs
