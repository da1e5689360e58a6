// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/address_space.cpp - mapping, unmapping and protection. Faults are in fault.cpp.
#include "partitions/unikernel/mm/address_space.hpp"

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/fs/overlay/node.hpp"
#include "partitions/unikernel/mm/kernel_tables.hpp"

#include <algorithm>

namespace uk::mm {

namespace {

using namespace entry_bit;
constexpr std::uint64_t table_bytes = base::large_page_size; // what one last-level table covers
constexpr std::uint64_t lowest = 0x10000;                    // mmap_min_addr
// More pages than this are flushed by reloading CR3.
constexpr std::uint64_t flush_one_by_one = 32;

AddressSpace* active = nullptr;

std::uint64_t* table_at(PhysAddr frame) {
    return reinterpret_cast<std::uint64_t*>(frame_data(frame));
}

std::optional<std::uint64_t> page_count_bytes(std::uint64_t bytes) {
    return base::round_up(bytes, base::page_size);
}

// [start, start + bytes) rounded up to pages, within what programs may use.
Result<std::uint64_t> checked_end(std::uint64_t start, std::uint64_t bytes, Errno error) {
    const auto rounded = page_count_bytes(bytes);
    if (!rounded || *rounded > user_end || start > user_end - *rounded)
        return base::Failure{error};
    return start + *rounded;
}

} // namespace

AddressSpace* active_space() {
    return active;
}

AddressSpace::~AddressSpace() {
    if (!created_)
        return;
    clear();
    if (active == this) {
        active = nullptr;
        cpu::write_cr<3>(kernel_root().value());
    }
    release_frame(root_);
}

Status AddressSpace::create() {
    const auto frame = allocate_frame(Fill::zero);
    if (!frame)
        return base::Failure{Errno::nomem};
    root_ = *frame;
    created_ = true;
    share_kernel_half(table_at(root_));
    return base::success;
}

void AddressSpace::clear() {
    for (const Vma& vma : ranges_.view())
        clear_pages(vma.start, vma.end);
    ranges_.clear();
    free_tables(0, user_end + base::page_size);
    mmap_top = break_start = break_end = stack_top = stack_limit = vdso = 0;
}

void AddressSpace::activate() const {
    active = const_cast<AddressSpace*>(this);
    cpu::write_cr<3>(root_.value());
}

AddressSpace::Entry* AddressSpace::find_entry(std::uint64_t virt) const {
    std::uint64_t* table = table_at(root_);
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        const Entry entry = table[virt >> shift & 511];
        if ((entry & present) == 0)
            return nullptr;
        table = table_at(PhysAddr{entry & address});
    }
    return &table[virt >> 12 & 511];
}

AddressSpace::Entry* AddressSpace::make_entry(std::uint64_t virt) {
    std::uint64_t* table = table_at(root_);
    for (unsigned shift = 39; shift > 12; shift -= 9) {
        Entry& entry = table[virt >> shift & 511];
        if ((entry & present) == 0) {
            const auto frame = allocate_frame(Fill::zero);
            if (!frame)
                return nullptr;
            entry = frame->value() | present | writable | user;
            ++tables_;
        }
        table = table_at(PhysAddr{entry & address});
    }
    return &table[virt >> 12 & 511];
}

void AddressSpace::drop_entry(Entry& entry) {
    const Entry old = entry;
    entry = 0;
    --resident_;
    if ((old & counted) != 0)
        release_frame(PhysAddr{old & address});
}

void AddressSpace::clear_pages(std::uint64_t start, std::uint64_t end) {
    std::uint64_t dropped = 0;
    for (std::uint64_t at = start; at < end;) {
        Entry* entry = find_entry(at);
        if (entry == nullptr) { // no table: on to the next one's range
            at = base::round_down(at, table_bytes) + table_bytes;
            continue;
        }
        const std::uint64_t stop = std::min(end, base::round_down(at, table_bytes) + table_bytes);
        for (; at < stop; at += base::page_size, ++entry) {
            if ((*entry & present) == 0)
                continue;
            drop_entry(*entry);
            if (++dropped <= flush_one_by_one)
                cpu::invlpg(at);
        }
    }
    if (dropped > flush_one_by_one)
        cpu::write_cr<3>(cpu::read_cr<3>());
}

void AddressSpace::free_tables(std::uint64_t start, std::uint64_t end) {
    // Level by level from below: a table goes when no range touches what it covers.
    bool freed = false;
    for (unsigned shift = 21; shift <= 39; shift += 9) {
        const std::uint64_t span = std::uint64_t{1} << shift;
        for (std::uint64_t at = base::round_down(start, span); at < end && at < user_end;) {
            std::uint64_t* table = table_at(root_);
            std::uint64_t step = span;
            Entry* entry = nullptr;
            for (unsigned level = 39;; level -= 9) {
                entry = &table[at >> level & 511];
                if ((*entry & present) == 0) {
                    step = std::uint64_t{1} << level;
                    entry = nullptr;
                    break;
                }
                if (level == shift)
                    break;
                table = table_at(PhysAddr{*entry & address});
            }
            if (entry != nullptr && ranges_.is_free(at, at + span)) {
                release_frame(PhysAddr{*entry & address});
                *entry = 0;
                --tables_;
                freed = true;
            }
            at = base::round_down(at, step) + step;
        }
    }
    if (freed && active == this)
        cpu::write_cr<3>(root_.value());
}

Result<std::uint64_t> AddressSpace::map(const MapRequest& request) {
    const auto bytes = page_count_bytes(request.bytes);
    if (!bytes || *bytes == 0 || *bytes > user_end)
        return base::Failure{request.bytes == 0 ? Errno::inval : Errno::nomem};
    std::uint64_t start = base::round_down(request.address, base::page_size);
    if (request.fixed || request.no_replace) {
        if (start != request.address)
            return base::Failure{Errno::inval};
        if (start < lowest)
            return base::Failure{Errno::perm};
        const std::uint64_t end = CAISSON_TRY(checked_end(start, *bytes, Errno::nomem));
        if (request.no_replace && !ranges_.is_free(start, end))
            return base::Failure{Errno::exist};
        if (!ranges_.is_free(start, end))
            CAISSON_TRY(unmap(start, *bytes));
    } else if (start < lowest || start > user_end - *bytes || !ranges_.is_free(start, start + *bytes)) {
        auto hole = ranges_.find_hole(*bytes, lowest, mmap_top);
        if (!hole)
            hole = ranges_.find_hole(*bytes, mmap_top, user_end);
        if (!hole)
            return base::Failure{Errno::nomem};
        start = *hole;
    }
    Vma vma;
    vma.start = start;
    vma.end = start + *bytes;
    vma.node = request.node;
    vma.offset = request.offset;
    vma.protection = request.protection;
    vma.kind = request.kind;
    vma.shared = request.shared;
    vma.shared_writable = request.shared_writable;
    CAISSON_TRY(ranges_.insert(vma));
    if (request.populate)
        for (std::uint64_t at = start; at < vma.end; at += base::page_size) {
            const Access access =
                (request.protection & protection::write) != 0 ? Access::write : Access::read;
            if (handle_fault(at, access) != Fault::resolved)
                break;
        }
    return start;
}

Status AddressSpace::unmap(std::uint64_t start, std::uint64_t bytes) {
    if (!base::VirtAddr{start}.is_aligned(base::page_size) || bytes == 0)
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::inval));
    if (ranges_.is_free(start, end))
        return base::success;
    CAISSON_TRY(ranges_.remove(start, end));
    clear_pages(start, end);
    free_tables(start, end);
    return base::success;
}

Status AddressSpace::protect(std::uint64_t start, std::uint64_t bytes, std::uint8_t new_protection) {
    if (!base::VirtAddr{start}.is_aligned(base::page_size))
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::nomem));
    if (start == end)
        return base::success;
    if (!ranges_.is_covered(start, end))
        return base::Failure{Errno::nomem};
    CAISSON_TRY(ranges_.protect(start, end, new_protection));
    protect_pages(start, end, new_protection);
    return base::success;
}

void AddressSpace::protect_pages(std::uint64_t start, std::uint64_t end, std::uint8_t new_protection) {
    // Rights are only taken here; the next access asks for more by a fault, which also decides about copies.
    std::uint64_t changed = 0;
    for (std::uint64_t at = start; at < end;) {
        Entry* entry = find_entry(at);
        if (entry == nullptr) {
            at = base::round_down(at, table_bytes) + table_bytes;
            continue;
        }
        const std::uint64_t stop = std::min(end, base::round_down(at, table_bytes) + table_bytes);
        for (; at < stop; at += base::page_size, ++entry) {
            if ((*entry & present) == 0)
                continue;
            Entry updated = *entry;
            if ((new_protection & protection::write) == 0)
                updated &= ~writable;
            if ((new_protection & protection::execute) == 0)
                updated |= no_execute;
            else
                updated &= ~no_execute;
            if (new_protection == 0)
                updated &= ~user;
            else
                updated |= user;
            if (updated == *entry)
                continue;
            *entry = updated;
            if (++changed <= flush_one_by_one)
                cpu::invlpg(at);
        }
    }
    if (changed > flush_one_by_one)
        cpu::write_cr<3>(cpu::read_cr<3>());
}

void AddressSpace::move_pages(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
    for (std::uint64_t done = 0; done < bytes; done += base::page_size) {
        Entry* source = find_entry(from + done);
        if (source == nullptr || (*source & present) == 0)
            continue;
        Entry* target = make_entry(to + done); // made before by remap
        *target = *source;
        *source = 0;
        cpu::invlpg(from + done);
    }
}

Result<std::uint64_t> AddressSpace::remap(std::uint64_t start, std::uint64_t old_bytes,
                                          std::uint64_t new_bytes, bool may_move) {
    const auto old_rounded = page_count_bytes(old_bytes);
    const auto new_rounded = page_count_bytes(new_bytes);
    if (!base::VirtAddr{start}.is_aligned(base::page_size) || !old_rounded || !new_rounded ||
        *new_rounded == 0 || *old_rounded == 0)
        return base::Failure{Errno::inval};
    const Vma* found = ranges_.find(start);
    if (found == nullptr || start > user_end - *old_rounded || start + *old_rounded > found->end)
        return base::Failure{Errno::fault};
    if (*new_rounded <= *old_rounded) {
        if (*new_rounded < *old_rounded)
            CAISSON_TRY(unmap(start + *new_rounded, *old_rounded - *new_rounded));
        return start;
    }
    const Vma vma = *found;
    if (vma.end == start + *old_rounded && *new_rounded <= user_end - start &&
        ranges_.is_free(vma.end, start + *new_rounded) && ranges_.extend_up(start, start + *new_rounded))
        return start;
    if (!may_move)
        return base::Failure{Errno::nomem};
    const auto hole = ranges_.find_hole(*new_rounded, lowest, mmap_top);
    if (!hole)
        return base::Failure{Errno::nomem};
    for (std::uint64_t at = 0; at < *old_rounded; at += base::page_size) {
        Entry* source = find_entry(start + at);
        if (source != nullptr && (*source & present) != 0 && make_entry(*hole + at) == nullptr) {
            free_tables(*hole, *hole + *new_rounded);
            return base::Failure{Errno::nomem};
        }
    }
    Vma moved = vma;
    moved.offset = vma.offset_of(start);
    moved.start = *hole;
    moved.end = *hole + *new_rounded;
    CAISSON_TRY(ranges_.insert(moved));
    move_pages(start, *hole, *old_rounded);
    CAISSON_TRY(unmap(start, *old_rounded));
    return *hole;
}

Status AddressSpace::discard(std::uint64_t start, std::uint64_t bytes) {
    if (!base::VirtAddr{start}.is_aligned(base::page_size))
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::inval));
    const bool covered = ranges_.is_covered(start, end);
    clear_pages(start, end);
    if (!covered)
        return base::Failure{Errno::nomem};
    return base::success;
}

std::uint64_t AddressSpace::set_break(std::uint64_t wanted) {
    if (wanted < break_start || wanted > user_end - base::page_size || wanted - break_start > data_limit)
        return break_end;
    const std::uint64_t old_page = base::round_down(break_end + base::page_size - 1, base::page_size);
    const std::uint64_t new_page = base::round_down(wanted + base::page_size - 1, base::page_size);
    if (new_page > old_page) {
        if (!ranges_.is_free(old_page, new_page))
            return break_end;
        Vma heap;
        heap.start = old_page;
        heap.end = new_page;
        heap.protection = protection::read | protection::write;
        heap.kind = VmaKind::heap;
        if (!ranges_.insert(heap).ok())
            return break_end;
    } else if (new_page < old_page) {
        if (!unmap(new_page, old_page - new_page).ok())
            return break_end;
    }
    break_end = wanted;
    return break_end;
}

bool AddressSpace::is_resident(std::uint64_t virt) const {
    const Entry* entry = find_entry(virt);
    return entry != nullptr && (*entry & present) != 0;
}

std::uint64_t AddressSpace::resident_in(const Vma& vma) const {
    std::uint64_t pages = 0;
    for (std::uint64_t at = vma.start; at < vma.end;) {
        const Entry* entry = find_entry(at);
        const std::uint64_t stop = std::min(vma.end, base::round_down(at, table_bytes) + table_bytes);
        if (entry == nullptr)
            at = stop;
        for (; at < stop; at += base::page_size, ++entry)
            pages += (*entry & present) != 0 ? 1 : 0;
    }
    return pages;
}

void AddressSpace::forget_pages(const fs::Node& node, std::uint64_t first_page, std::uint64_t end_page) {
    const std::uint64_t first = first_page * base::page_size;
    const std::uint64_t end = end_page > user_end / base::page_size ? user_end : end_page * base::page_size;
    for (const Vma& vma : ranges_.view()) {
        if (vma.node != &node || vma.offset + vma.bytes() <= first || vma.offset >= end)
            continue;
        const std::uint64_t from = vma.offset >= first ? vma.start : vma.start + (first - vma.offset);
        const std::uint64_t to = std::min(vma.end, vma.start + (end - vma.offset));
        for (std::uint64_t at = from; at < to; at += base::page_size) {
            Entry* entry = find_entry(at);
            if (entry == nullptr || (*entry & present) == 0 || (*entry & own) != 0)
                continue;
            drop_entry(*entry);
            cpu::invlpg(at);
        }
    }
}

} // namespace uk::mm
