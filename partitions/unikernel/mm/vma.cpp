// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/vma.cpp - the sorted list of ranges. See vma.hpp.
#include "partitions/unikernel/mm/vma.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <cstring>

namespace uk::fs {
void retain(Node& node);
void release(Node& node);
} // namespace uk::fs

namespace uk::mm {

namespace {

void hold(const Vma& vma) {
    if (vma.node != nullptr)
        fs::retain(*vma.node);
}
void drop(const Vma& vma) {
    if (vma.node != nullptr)
        fs::release(*vma.node);
}

bool joins(const Vma& low, const Vma& high) {
    return low.end == high.start && low.node == high.node && low.protection == high.protection &&
           low.kind == high.kind && low.shared == high.shared &&
           low.shared_writable == high.shared_writable &&
           (low.node == nullptr || low.offset + low.bytes() == high.offset);
}

} // namespace

std::size_t VmaList::index_at_or_after(std::uint64_t address) const {
    std::size_t low = 0, high = size_;
    while (low < high) {
        const std::size_t middle = low + (high - low) / 2;
        if (items_[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const Vma* VmaList::first_at_or_after(std::uint64_t address) const {
    const std::size_t index = index_at_or_after(address);
    return index < size_ ? &items_[index] : nullptr;
}

const Vma* VmaList::find(std::uint64_t address) const {
    const Vma* vma = first_at_or_after(address);
    return vma != nullptr && vma->contains(address) ? vma : nullptr;
}

std::optional<std::uint64_t> VmaList::find_hole(std::uint64_t bytes, std::uint64_t low,
                                                std::uint64_t high) const {
    if (bytes == 0 || high < low)
        return std::nullopt;
    std::uint64_t top = high;
    for (std::size_t i = index_at_or_after(high);;) {
        // Here everything from `top` up is taken or out of bounds.
        if (i < size_ && items_[i].start < top)
            top = items_[i].start;
        const std::uint64_t floor = i > 0 && items_[i - 1].end > low ? items_[i - 1].end : low;
        if (top >= floor && top - floor >= bytes)
            return top - bytes;
        if (i == 0 || items_[i - 1].start <= low)
            return std::nullopt;
        --i;
        top = items_[i].start;
    }
}

bool VmaList::is_free(std::uint64_t start, std::uint64_t end) const {
    const Vma* vma = first_at_or_after(start);
    return vma == nullptr || vma->start >= end;
}

bool VmaList::is_covered(std::uint64_t start, std::uint64_t end) const {
    for (std::size_t i = index_at_or_after(start); start < end; ++i) {
        if (i == size_ || items_[i].start > start)
            return false;
        start = items_[i].end;
    }
    return true;
}

bool VmaList::reserve(std::size_t more) {
    if (size_ + more <= capacity_)
        return true;
    const std::size_t capacity = capacity_ == 0 ? 16 : capacity_ * 2;
    auto* items = static_cast<Vma*>(allocate(capacity * sizeof(Vma)));
    if (items == nullptr)
        return false;
    for (std::size_t i = 0; i < size_; ++i)
        std::construct_at(items + i, items_[i]);
    mm::free(items_);
    items_ = items;
    capacity_ = capacity;
    return true;
}

void VmaList::insert_at(std::size_t index, const Vma& vma) {
    for (std::size_t i = size_; i > index; --i)
        items_[i] = items_[i - 1];
    items_[index] = vma;
    ++size_;
}

void VmaList::erase_at(std::size_t index) {
    for (std::size_t i = index; i + 1 < size_; ++i)
        items_[i] = items_[i + 1];
    --size_;
}

void VmaList::split(std::size_t index, std::uint64_t at) {
    Vma high = items_[index];
    high.offset = high.offset_of(at);
    high.start = at;
    items_[index].end = at;
    hold(high);
    insert_at(index + 1, high);
}

void VmaList::merge_around(std::size_t first, std::size_t last) {
    // Joins neighbours among the ranges first-1 .. last+1.
    std::size_t i = first > 0 ? first - 1 : 0;
    std::size_t end = last + 1;
    while (i < end && i + 1 < size_) {
        if (joins(items_[i], items_[i + 1])) {
            items_[i].end = items_[i + 1].end;
            drop(items_[i + 1]);
            erase_at(i + 1);
            --end;
        } else {
            ++i;
        }
    }
}

Status VmaList::insert(const Vma& vma) {
    base::expects(vma.start < vma.end && is_free(vma.start, vma.end), "VmaList::insert: not free");
    if (!reserve(1))
        return base::Failure{Errno::nomem};
    const std::size_t index = index_at_or_after(vma.start);
    hold(vma);
    insert_at(index, vma);
    total_ += vma.bytes();
    merge_around(index, index);
    return base::success;
}

Status VmaList::remove(std::uint64_t start, std::uint64_t end) {
    if (!reserve(2))
        return base::Failure{Errno::nomem};
    std::size_t index = index_at_or_after(start);
    if (index < size_ && items_[index].start < start)
        split(index++, start);
    while (index < size_ && items_[index].start < end) {
        if (items_[index].end > end)
            split(index, end);
        total_ -= items_[index].bytes();
        drop(items_[index]);
        erase_at(index);
    }
    return base::success;
}

Status VmaList::protect(std::uint64_t start, std::uint64_t end, std::uint8_t protection) {
    if (start >= end)
        return base::success;
    for (std::size_t i = index_at_or_after(start); i < size_ && items_[i].start < end; ++i)
        if (items_[i].shared && items_[i].node != nullptr && !items_[i].shared_writable &&
            (protection & protection::write) != 0)
            return base::Failure{Errno::acces};
    if (!reserve(2))
        return base::Failure{Errno::nomem};
    std::size_t index = index_at_or_after(start);
    if (index < size_ && items_[index].start < start)
        split(index++, start);
    const std::size_t first = index;
    while (index < size_ && items_[index].start < end) {
        if (items_[index].end > end)
            split(index, end);
        items_[index++].protection = protection;
    }
    if (index > first)
        merge_around(first, index - 1);
    return base::success;
}

bool VmaList::extend_down(std::uint64_t address, std::uint64_t new_start) {
    const std::size_t index = index_at_or_after(address);
    if (index == size_ || !items_[index].contains(address) || items_[index].node != nullptr ||
        new_start > items_[index].start || !is_free(new_start, items_[index].start))
        return false;
    total_ += items_[index].start - new_start;
    items_[index].start = new_start;
    return true;
}

bool VmaList::extend_up(std::uint64_t address, std::uint64_t new_end) {
    const std::size_t index = index_at_or_after(address);
    if (index == size_ || !items_[index].contains(address) || new_end < items_[index].end ||
        !is_free(items_[index].end, new_end))
        return false;
    total_ += new_end - items_[index].end;
    items_[index].end = new_end;
    return true;
}

void VmaList::clear() {
    for (std::size_t i = 0; i < size_; ++i)
        drop(items_[i]);
    mm::free(items_);
    items_ = nullptr;
    size_ = capacity_ = 0;
    total_ = 0;
}

} // namespace uk::mm
