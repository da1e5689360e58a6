// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/page_table.cpp - see page_table.hpp.
#include "partitions/unikernel/mm/page_table.hpp"

#include "hypervisor/base/fail.hpp"

namespace uk::mm {

namespace {

using namespace entry_bit;
constexpr unsigned top_shift = 39, leaf_shift = 12, level_bits = 9;
constexpr std::uint64_t user_half_end = std::uint64_t{1} << 47;

std::uint64_t* table_at(PhysAddr frame) {
    // SAFETY: a table is a frame that the kernel owns, whole and aligned.
    return reinterpret_cast<std::uint64_t*>(frame_data(frame));
}

std::uint64_t* table_of(std::uint64_t entry) {
    return table_at(PhysAddr{entry & address});
}

} // namespace

PageTable::~PageTable() {
    if (root_.value() == 0)
        return;
    base::expects(tables_ == 0, "PageTable: tables are left");
    release_frame(root_);
}

Status PageTable::create() {
    const auto frame = allocate_frame(Fill::zero);
    if (!frame)
        return base::Failure{Errno::nomem};
    root_ = *frame;
    share_kernel_half(table_at(root_));
    return base::success;
}

PageTable::Position PageTable::locate(std::uint64_t virt) const {
    std::uint64_t* table = table_at(root_);
    for (unsigned shift = top_shift; shift > leaf_shift; shift -= level_bits) {
        const Entry entry = table[virt >> shift & 511];
        if (entry == 0)
            return {nullptr, ((virt >> shift) + 1) << shift};
        table = table_of(entry);
    }
    return {&table[virt >> leaf_shift & 511], ((virt >> (leaf_shift + level_bits)) + 1)
                                                  << (leaf_shift + level_bits)};
}

PageTable::Entry* PageTable::find(std::uint64_t virt) const {
    return locate(virt).entry;
}

PageTable::Entry* PageTable::make(std::uint64_t virt) {
    std::uint64_t* table = table_at(root_);
    for (unsigned shift = top_shift; shift > leaf_shift; shift -= level_bits) {
        Entry& entry = table[virt >> shift & 511];
        if (entry == 0) {
            const auto frame = allocate_frame(Fill::zero);
            if (!frame)
                return nullptr;
            entry = frame->value() | present | writable | user; // leaves decide
            ++tables_;
        }
        table = table_of(entry);
    }
    return &table[virt >> leaf_shift & 511];
}

std::uint64_t PageTable::end_of_pages(std::uint64_t start, std::uint64_t end, std::uint64_t& pages) const {
    while (start < end) {
        const Position position = locate(start);
        const std::uint64_t stop = std::min(end, position.end);
        for (const Entry* entry = position.entry; entry != nullptr && start < stop; ++entry) {
            start += base::page_size;
            if (*entry != 0 && --pages == 0)
                return start;
        }
        start = stop;
    }
    return end;
}

// Depth: the three levels above the last.
void PageTable::free_below(std::uint64_t* table, unsigned shift, std::uint64_t base, const Span& visited,
                           const Span& empty) {
    const std::uint64_t span = std::uint64_t{1} << shift;
    const std::uint64_t first = visited.start > base ? (visited.start - base) >> shift : 0;
    for (std::uint64_t i = first; i < 512 && base + i * span < visited.end; ++i) {
        if (table[i] == 0)
            continue;
        const std::uint64_t from = base + i * span;
        if (shift > leaf_shift + level_bits)
            free_below(table_of(table[i]), shift - level_bits, from, visited, empty);
        if (from < empty.start || from + span > empty.end)
            continue;
        release_frame(PhysAddr{table[i] & address});
        table[i] = 0;
        --tables_;
    }
}

void PageTable::free_tables(Span visited, Span empty) {
    visited.end = std::min(visited.end, user_half_end);
    free_below(table_at(root_), top_shift, 0, visited, empty);
}

} // namespace uk::mm
