// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/overlay/page_map.cpp - the radix tree of a file's frames.
#include "partitions/unikernel/fs/overlay/page_map.hpp"

#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace uk::fs {

struct PageMap::Table {
    std::array<std::uint64_t, std::size_t{1} << fan_log2> slots{};

    [[nodiscard]] bool empty() const {
        return std::all_of(slots.begin(), slots.end(), [](std::uint64_t slot) { return slot == 0; });
    }
};

namespace {

constexpr std::uint64_t index_mask = 63;

template <typename Table> Table& table_of(std::uint64_t slot) {
    return *std::bit_cast<Table*>(slot);
}

} // namespace

std::uint64_t PageMap::slot(std::uint64_t page) const {
    if (page >> (fan_log2 * height_) != 0)
        return 0;
    std::uint64_t here = root_;
    for (unsigned level = height_; level > 0 && here != 0; --level)
        here = table_of<Table>(here).slots[(page >> (fan_log2 * (level - 1))) & index_mask];
    return here;
}

std::byte* PageMap::find(std::uint64_t page) const {
    const std::uint64_t here = slot(page);
    return here == 0 ? nullptr : mm::frame_data(mm::PhysAddr{here});
}

mm::PhysAddr PageMap::frame(std::uint64_t page) const {
    return mm::PhysAddr{slot(page)};
}

// Makes the tree high enough for `page`.
bool PageMap::grow(std::uint64_t page) {
    while (page >> (fan_log2 * height_) != 0) {
        if (height_ == max_height)
            return false;
        if (root_ != 0) {
            Table* table = mm::make<Table>();
            if (table == nullptr)
                return false;
            table->slots[0] = root_;
            root_ = std::bit_cast<std::uint64_t>(table);
        }
        ++height_;
    }
    return true;
}

bool PageMap::insert(std::uint64_t page, mm::PhysAddr frame) {
    base::expects(frame.value() != 0, "PageMap: frame 0");
    if (!grow(page))
        return false;
    std::uint64_t* here = &root_;
    for (unsigned level = height_; level > 0; --level) {
        if (*here == 0) {
            Table* table = mm::make<Table>();
            if (table == nullptr)
                return false;
            *here = std::bit_cast<std::uint64_t>(table);
        }
        here = &table_of<Table>(*here).slots[(page >> (fan_log2 * (level - 1))) & index_mask];
    }
    base::expects(*here == 0, "PageMap: page is there already");
    *here = frame.value();
    ++count_;
    return true;
}

std::uint64_t PageMap::next(std::uint64_t from) const {
    std::uint64_t page = from;
    while (page >> (fan_log2 * height_) == 0) {
        // Down as far as there is something; an empty slot is stepped over with all below it.
        std::uint64_t here = root_;
        unsigned level = height_;
        while (level > 0 && here != 0) {
            --level;
            here = table_of<Table>(here).slots[(page >> (fan_log2 * level)) & index_mask];
        }
        if (here != 0)
            return page;
        const std::uint64_t step = std::uint64_t{1} << (fan_log2 * level);
        page = (page & ~(step - 1)) + step;
    }
    return none;
}

std::uint64_t PageMap::truncate(std::uint64_t first) {
    const std::uint64_t removed = remove(first, none, none);
    if (count_ == 0 && root_ != 0)
        release_tables();
    return removed;
}

// Frees the tables of a map without frames: along each path down, the lowest empty table first.
void PageMap::release_tables() {
    while (root_ != 0 && height_ > 0) {
        std::uint64_t* holder = &root_;
        for (unsigned level = height_; level > 1; --level) {
            auto& slots = table_of<Table>(*holder).slots;
            const auto used =
                std::find_if(slots.begin(), slots.end(), [](std::uint64_t s) { return s != 0; });
            if (used == slots.end())
                break;
            holder = &*used;
        }
        mm::destroy(&table_of<Table>(*holder));
        *holder = 0;
    }
    height_ = 0;
}

std::uint64_t PageMap::remove(std::uint64_t& first, std::uint64_t end, std::uint64_t most) {
    std::uint64_t removed = 0;
    for (first = next(first); first < end && removed < most; first = next(first + 1)) {
        std::uint64_t* here = &root_;
        for (unsigned level = height_; level > 0; --level)
            here = &table_of<Table>(*here).slots[(first >> (fan_log2 * (level - 1))) & index_mask];
        mm::release_frame(mm::PhysAddr{*here});
        *here = 0;
        --count_;
        ++removed;
    }
    return removed;
}

} // namespace uk::fs
