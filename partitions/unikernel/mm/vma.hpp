// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/vma.hpp - the ranges of an address space: heap objects in a balanced tree.
//
// Pure (heap only): no page tables here. An AVL tree in order of addresses; each range knows the largest free
// gap in its part of the tree, so a hole is found in logarithmic time. A range of a file is also linked into
// the file's node (mm/object.hpp).
// Invariants: I1  ranges are page aligned, not empty, do not overlap; neighbours that could be one are one
//             I2  an operation that returns an error leaves the tree as it was
//             I3  a range of a file holds one reference to its node
//             I4  there are at most max_map_count ranges
#pragma once

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/mm/object.hpp"

#include <array>
#include <cstdint>
#include <iterator>
#include <optional>

namespace uk::mm {

class AddressSpace;

inline constexpr std::size_t max_map_count = 65530; // vm.max_map_count of Linux

namespace protection {
inline constexpr std::uint8_t read = 1, write = 2, execute = 4;
} // namespace protection

enum class VmaKind : std::uint8_t { plain, heap, stack, vdso };

// What a child made by fork(2) gets of a private range (MADV_DONTFORK, MADV_WIPEONFORK).
enum class OnFork : std::uint8_t { copy, leave_out, wipe };

// What a range is, apart from its place in the tree.
struct VmaFields {
    std::uint64_t start = 0, end = 0;
    fs::Node* node = nullptr;    // nullptr: private anonymous
    std::uint64_t offset = 0;    // in the file, of `start`
    std::uint8_t protection = 0; // protection::...
    VmaKind kind = VmaKind::plain;
    bool shared = false;
    bool shared_writable = false; // shared, by a descriptor that may write: the most that mprotect can give
    bool grows_down = false;
    bool locked = false; // mlock: counted, and not dropped by madvise
    OnFork on_fork = OnFork::copy;

    [[nodiscard]] std::uint64_t bytes() const { return end - start; }
    [[nodiscard]] bool contains(std::uint64_t address) const { return start <= address && address < end; }
    [[nodiscard]] std::uint64_t offset_of(std::uint64_t address) const { return offset + (address - start); }
    [[nodiscard]] bool writable() const { return (protection & protection::write) != 0; }
    // Counts towards RLIMIT_DATA.
    [[nodiscard]] bool is_data() const { return writable() && !shared && !grows_down; }
};

struct Vma : VmaFields {
    AddressSpace* space = nullptr;
    Vma *next = nullptr, *previous = nullptr; // in order of addresses
    Vma *next_of_node = nullptr, *previous_of_node = nullptr;

private:
    friend class VmaTree;
    Vma *parent_ = nullptr, *left_ = nullptr, *right_ = nullptr;
    std::uint64_t largest_gap_ = 0; // below a range of this part of the tree
    unsigned height_ = 1;
};

class VmaTree {
public:
    explicit VmaTree(AddressSpace* space = nullptr) : space_(space) {}
    VmaTree(const VmaTree&) = delete;
    VmaTree& operator=(const VmaTree&) = delete;
    ~VmaTree();

    class Iterator {
    public:
        explicit Iterator(const Vma* at) : at_(at) {}
        const Vma& operator*() const { return *at_; }
        Iterator& operator++() {
            at_ = at_->next;
            return *this;
        }
        bool operator!=(const Iterator& other) const { return at_ != other.at_; }

    private:
        const Vma* at_;
    };
    [[nodiscard]] Iterator begin() const { return Iterator{first_}; }
    [[nodiscard]] Iterator end() const { return Iterator{nullptr}; }

    [[nodiscard]] const Vma* find(std::uint64_t address) const;              // the range that contains it
    [[nodiscard]] const Vma* first_at_or_after(std::uint64_t address) const; // the first that ends above it

    // A free hole of `bytes` inside [low, high): the highest one, right below what is above it.
    [[nodiscard]] std::optional<std::uint64_t> find_hole(std::uint64_t bytes, std::uint64_t low,
                                                         std::uint64_t high) const;
    [[nodiscard]] bool is_free(std::uint64_t start, std::uint64_t end) const;
    [[nodiscard]] bool is_covered(std::uint64_t start, std::uint64_t end) const; // no hole in it
    // The end of what is mapped without a hole from `start` on, at most `end`.
    [[nodiscard]] std::uint64_t covered_until(std::uint64_t start, std::uint64_t end) const;
    // The free space around [start, end): from the end of the range before to the start of the next.
    struct Gap {
        std::uint64_t start, end;
    };
    [[nodiscard]] Gap gap_around(std::uint64_t start, std::uint64_t end) const;

    // Enters a range in place of what [start, end) holds, merged with neighbours of the same kind. Takes a
    // reference to its node. Errors: nomem, also beyond max_map_count.
    [[nodiscard]] Status insert(const VmaFields& fields);
    // Takes [start, end) out, cutting ranges that lie across its ends.
    [[nodiscard]] Status remove(std::uint64_t start, std::uint64_t end);
    // `apply` is called for every range of [start, end), cut to fit; then neighbours are merged.
    using Change = void (*)(VmaFields& fields, std::uint8_t value);
    [[nodiscard]] Status change(std::uint64_t start, std::uint64_t end, Change apply, std::uint8_t value);
    // Moves the start of the range at `address` down (a stack that grows), or its end up, when nothing is in
    // the way.
    [[nodiscard]] bool extend_down(std::uint64_t address, std::uint64_t new_start);
    [[nodiscard]] bool extend_up(std::uint64_t address, std::uint64_t new_end);
    // The next operations find so many objects ready; at most 2.
    [[nodiscard]] Status reserve(unsigned wanted);
    void clear();

    [[nodiscard]] std::size_t count() const { return count_; }
    [[nodiscard]] std::uint64_t total() const { return total_; }   // bytes in all ranges
    [[nodiscard]] std::uint64_t data() const { return data_; }     // of is_data()
    [[nodiscard]] std::uint64_t locked() const { return locked_; } // of locked ranges

    // For tests: order, balance, gaps, counts and links are as they must be.
    [[nodiscard]] bool sound() const;

private:
    // The most objects that one operation needs: a cut at each end.
    static constexpr unsigned spare_max = 2;
    void account(const VmaFields& fields, bool in);
    void refresh(Vma* from); // heights and gaps from here to the root, rebalanced
    void refresh_gap(Vma* vma);
    void update(Vma& vma) const;
    void rotate(Vma& parent, bool left);
    void link(Vma& vma, Vma* previous);
    void unlink(Vma& vma);
    Vma& place(const VmaFields& fields, Vma* previous); // a spare becomes a range
    void take_out(Vma& vma);
    void split(Vma& vma, std::uint64_t at);
    void merge_with_next(Vma& vma);
    void merge_around(std::uint64_t start, std::uint64_t end);
    void cut_at(std::uint64_t address);
    void erase(std::uint64_t start, std::uint64_t end); // whole ranges
    [[nodiscard]] unsigned cuts_needed(std::uint64_t start, std::uint64_t end) const;
    [[nodiscard]] Vma* last_before(std::uint64_t address) const;
    [[nodiscard]] Vma* find_mutable(std::uint64_t address) const;

    AddressSpace* space_;
    Vma *root_ = nullptr, *first_ = nullptr, *last_ = nullptr;
    std::array<Vma*, spare_max + 1> spare_{};
    unsigned spares_ = 0;
    std::size_t count_ = 0;
    std::uint64_t total_ = 0, data_ = 0, locked_ = 0;
};

} // namespace uk::mm
