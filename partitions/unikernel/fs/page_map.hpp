// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/page_map.hpp - page index to frame, for the contents of one file: a radix tree.
//
// A file of one page costs no table; tables of 64 pointers are added as the file grows, holes cost nothing.
#pragma once

#include <cstddef>
#include <cstdint>

namespace uk::fs {

class PageMap {
public:
    PageMap() = default;
    PageMap(const PageMap&) = delete;
    PageMap& operator=(const PageMap&) = delete;
    ~PageMap() { truncate(0); }

    [[nodiscard]] std::byte* find(std::uint64_t page) const;
    // Takes over the caller's reference to `frame`. False, and nothing taken, when the heap is exhausted.
    // The page is not in the map yet.
    [[nodiscard]] bool insert(std::uint64_t page, std::byte* frame);
    // Releases the frames of `first` and above; returns how many.
    std::uint64_t truncate(std::uint64_t first);
    // Releases the frames of [first, end); returns how many.
    std::uint64_t remove(std::uint64_t first, std::uint64_t end);
    [[nodiscard]] std::uint64_t count() const { return count_; }
    // The first page >= `from` that has a frame; `none` where there is no more.
    [[nodiscard]] std::uint64_t next(std::uint64_t from) const;
    static constexpr std::uint64_t none = ~std::uint64_t{0};

private:
    static constexpr unsigned fan_log2 = 6;
    static constexpr unsigned max_height = 9; // 2^54 pages: every 64-bit offset
    struct Table;

    [[nodiscard]] static std::uint64_t capacity(unsigned height);
    [[nodiscard]] bool grow(std::uint64_t page);

    void* root_ = nullptr; // a frame at height 0, else a Table
    unsigned height_ = 0;
    std::uint64_t count_ = 0;
};

} // namespace uk::fs
