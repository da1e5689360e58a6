// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/vma.hpp - the ranges of a process's address space, in order.
//
// Pure (heap only): no page tables here. A sorted array: programs have tens of ranges, the big runtimes some
// thousands.
// Invariants: I1  ranges are page aligned, not empty, do not overlap, and are sorted by start
//             I2  an operation that returns an error leaves the list as it was
//             I3  a range of a file holds one reference to its node
#pragma once

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/base/errno.hpp"

#include <cstdint>
#include <optional>
#include <span>

namespace uk::fs {
struct Node;
}

namespace uk::mm {

namespace protection {
inline constexpr std::uint8_t read = 1, write = 2, execute = 4;
} // namespace protection

enum class VmaKind : std::uint8_t { plain, heap, stack, vdso };

struct Vma {
    std::uint64_t start = 0, end = 0;
    fs::Node* node = nullptr;    // nullptr: anonymous
    std::uint64_t offset = 0;    // in the file, of `start`
    std::uint8_t protection = 0; // protection::...
    VmaKind kind = VmaKind::plain;
    bool shared = false;
    bool shared_writable = false; // shared, by a descriptor that may write: the most that mprotect can give

    [[nodiscard]] std::uint64_t bytes() const { return end - start; }
    [[nodiscard]] bool contains(std::uint64_t address) const { return start <= address && address < end; }
    [[nodiscard]] std::uint64_t offset_of(std::uint64_t address) const { return offset + (address - start); }
};

class VmaList {
public:
    VmaList() = default;
    VmaList(const VmaList&) = delete;
    VmaList& operator=(const VmaList&) = delete;
    ~VmaList() { clear(); }

    [[nodiscard]] std::span<const Vma> view() const { return {items_, size_}; }
    [[nodiscard]] const Vma* find(std::uint64_t address) const;              // the range that contains it
    [[nodiscard]] const Vma* first_at_or_after(std::uint64_t address) const; // the first that ends above it

    // A free hole of `bytes` inside [low, high): the highest one, right below what is above it.
    [[nodiscard]] std::optional<std::uint64_t> find_hole(std::uint64_t bytes, std::uint64_t low,
                                                         std::uint64_t high) const;
    [[nodiscard]] bool is_free(std::uint64_t start, std::uint64_t end) const;
    [[nodiscard]] bool is_covered(std::uint64_t start, std::uint64_t end) const; // no hole in it

    // Enters a range into free space, merged with neighbours of the same kind. Takes a reference to its node.
    [[nodiscard]] Status insert(const Vma& vma);
    // Takes [start, end) out, cutting ranges that lie across its ends.
    [[nodiscard]] Status remove(std::uint64_t start, std::uint64_t end);
    // New protection for [start, end), which is covered. acces where a shared file range may not be written.
    [[nodiscard]] Status protect(std::uint64_t start, std::uint64_t end, std::uint8_t protection);
    // Moves the start of the range at `address` down (a stack that grows), or its end (brk) when nothing is
    // in the way.
    [[nodiscard]] bool extend_down(std::uint64_t address, std::uint64_t new_start);
    [[nodiscard]] bool extend_up(std::uint64_t address, std::uint64_t new_end);
    void clear();

    // Bytes in all ranges.
    [[nodiscard]] std::uint64_t total() const { return total_; }

private:
    [[nodiscard]] std::size_t index_at_or_after(std::uint64_t address) const;
    [[nodiscard]] bool reserve(std::size_t more);
    void insert_at(std::size_t index, const Vma& vma); // reserved before
    void erase_at(std::size_t index);
    void split(std::size_t index, std::uint64_t at); // reserved before
    void merge_around(std::size_t first, std::size_t last);

    Vma* items_ = nullptr;
    std::size_t size_ = 0, capacity_ = 0;
    std::uint64_t total_ = 0;
};

} // namespace uk::mm
