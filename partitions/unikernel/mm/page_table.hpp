// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/page_table.hpp - the user half of four-level tables: finding, making and freeing
// entries. What entries mean is address_space.hpp's affair.
//
// An entry that is not 0 holds a page, also where the CPU may not see it (PROT_NONE clears `present`).
// Walks step over what is not there at the highest level that tells so: their time is proportional to the
// tables that are there, not to the addresses.
// Spec: AMD APM vol. 2 "Long-Mode Page Translation".
#pragma once

#include "hypervisor/base/address.hpp"
#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/mm/frames.hpp"

#include <algorithm>
#include <cstdint>

namespace uk::mm {

namespace entry_bit {
inline constexpr std::uint64_t present = 1, writable = 2, user = 4, accessed = 0x20, dirty = 0x40,
                               large = 0x80, global = 0x100,
                               counted = 1 << 9, // ours: the entry holds one use of its frame
    own = 1 << 10,                               // ours: anonymous, or a private copy; not a page of a file
    no_execute = std::uint64_t{1} << 63;
inline constexpr std::uint64_t address = 0x000ffffffffff000;
} // namespace entry_bit

class PageTable {
public:
    using Entry = std::uint64_t;
    PageTable() = default;
    PageTable(const PageTable&) = delete;
    PageTable& operator=(const PageTable&) = delete;
    ~PageTable();

    [[nodiscard]] Status create(); // empty, with the kernel's half
    [[nodiscard]] PhysAddr root() const { return root_; }
    [[nodiscard]] std::uint64_t tables() const { return tables_; } // without the top level

    [[nodiscard]] Entry* find(std::uint64_t virt) const; // nullptr: no table there
    [[nodiscard]] Entry* make(std::uint64_t virt);       // nullptr: out of memory

    // visit(address, entry) for every entry of [start, end) that holds a page, in order.
    template <typename Visit> void for_each(std::uint64_t start, std::uint64_t end, Visit visit) const {
        for (std::uint64_t at = start; at < end;) {
            const Position position = locate(at);
            const std::uint64_t stop = std::min(end, position.end);
            if (position.entry != nullptr) {
                Entry* entry = position.entry;
                for (std::uint64_t page = at; page < stop; page += base::page_size, ++entry)
                    if (*entry != 0)
                        visit(page, *entry);
            }
            at = stop;
        }
    }

    // Where the part of [start, end) ends that holds `pages` pages, which is lowered by those that were found; `end`, if it
    // holds fewer.
    [[nodiscard]] std::uint64_t end_of_pages(std::uint64_t start, std::uint64_t end,
                                             std::uint64_t& pages) const;

    struct Span {
        std::uint64_t start, end;
    };
    // Frees the tables on the way to `visited` that cover nothing outside `empty`, where no entry holds a page.
    void free_tables(Span visited, Span empty);

private:
    struct Position {
        Entry* entry;      // nullptr: nothing is there
        std::uint64_t end; // of what the table, or the hole, covers
    };
    [[nodiscard]] Position locate(std::uint64_t virt) const;
    void free_below(std::uint64_t* table, unsigned shift, std::uint64_t base, const Span& visited,
                    const Span& empty);

    PhysAddr root_;
    std::uint64_t tables_ = 0;
};

// ---- What the CPU remembers of the tables in force (kernel_tables.cpp; tests have their own).

void share_kernel_half(std::uint64_t* top_level); // enters the kernel's half into a new top-level table
void load_tables(PhysAddr root);                  // forgets every translation but the kernel's
void load_kernel_tables();                        // no user half at all
void forget_translation(std::uint64_t virt);      // of one page
void forget_user_translations();

} // namespace uk::mm
