// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/fork.cpp - AddressSpace: the memory of a child, copied on write.
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/mm/flush.hpp"

#include <algorithm>

namespace uk::mm {

namespace {

using namespace entry_bit;
constexpr std::uint64_t table_span = base::large_page_size;    // what the entries of one table show
constexpr std::uint64_t pages_a_piece = 1024, range_costs = 8; // as pages

} // namespace

// Both get entries that cannot be written, so that the first to write has a copy; whoever is left alone with the frame
// then writes it as it is. Shared pages stay what they are: both show them.
Status AddressSpace::copy_pages(AddressSpace& parent, std::uint64_t start, std::uint64_t end, bool shared) {
    Flush flush{parent};
    Entry* table = nullptr; // the child's, for the pages from `table_start` on
    std::uint64_t table_start = 0;
    bool complete = true;
    parent.table_.for_each(start, end, [&](std::uint64_t at, Entry& entry) {
        if (!complete)
            return;
        if (table == nullptr || at - table_start >= table_span) {
            table_start = base::round_down(at, table_span);
            table = table_.make(table_start);
            if (table == nullptr) {
                complete = false;
                return;
            }
        }
        if (!shared && (entry & writable) != 0) {
            entry &= ~writable;
            flush.add(at);
        }
        if ((entry & counted) != 0)
            retain_frame(PhysAddr{entry & address});
        table[(at - table_start) / base::page_size] = entry;
        ++resident_;
    });
    return complete ? Status{base::success} : Status{base::Failure{Errno::nomem}};
}

// The child's range comes before its pages: whoever changes a file's pages meanwhile finds them in both.
Status AddressSpace::copy_range(AddressSpace& parent, const Vma& vma, Between between, std::uint64_t& left) {
    VmaFields fields = vma;
    fields.locked = false; // locks are not inherited
    CAISSON_TRY(ranges_.insert(fields));
    left -= std::min(left, range_costs);
    const std::uint64_t end = vma.end;
    for (std::uint64_t start = vma.start; vma.on_fork == OnFork::copy && start < end;) {
        const std::uint64_t stop = left > 0 ? parent.table_.end_of_pages(start, end, left) : start;
        CAISSON_TRY(copy_pages(parent, start, stop, vma.shared));
        start = stop;
        if (left == 0) {
            left = pages_a_piece;
            between();
        }
    }
    return base::success;
}

Status AddressSpace::copy_from(AddressSpace& parent, Between between) {
    std::uint64_t left = pages_a_piece; // of this piece
    for (const Vma& vma : parent.ranges_) {
        if (vma.on_fork == OnFork::leave_out)
            continue;
        if (const Status copied = copy_range(parent, vma, between, left); !copied.ok()) {
            clear();
            return copied;
        }
    }
    mmap_top = parent.mmap_top;
    break_start = parent.break_start;
    break_end = parent.break_end;
    stack_top = parent.stack_top;
    limits = parent.limits;
    vdso = parent.vdso;
    arguments_start = parent.arguments_start;
    arguments_end = parent.arguments_end;
    environment_start = parent.environment_start;
    environment_end = parent.environment_end;
    auxiliary_start = parent.auxiliary_start;
    auxiliary_end = parent.auxiliary_end;
    return base::success;
}

} // namespace uk::mm
