// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/remap.cpp - AddressSpace: mremap(2), growing and moving ranges with their pages.
#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/mm/address_space.hpp"
#include "partitions/unikernel/mm/flush.hpp"

namespace uk::mm {

// The range that is to have another size; old size 0 names a shared one that is to be shown again.
Result<const Vma*> AddressSpace::range_to_resize(const RemapRequest& request) const {
    const Vma* vma = ranges_.find(request.start);
    if (vma == nullptr)
        return base::Failure{Errno::fault};
    if ((request.old_bytes == 0 && !vma->shared) || (request.keep_old && vma->kind == VmaKind::vdso))
        return base::Failure{Errno::inval};
    if (request.old_bytes > vma->end - request.start)
        return base::Failure{Errno::fault};
    if (request.new_bytes > request.old_bytes) {
        const std::uint64_t more = request.new_bytes - request.old_bytes;
        if (vma->locked && (more > limits.locked || ranges_.locked() > limits.locked - more))
            return base::Failure{Errno::again};
        if (!has_room(more, vma->is_data()))
            return base::Failure{Errno::nomem};
    }
    return vma;
}

// `work` for parts of [start, end) that hold a piece's pages each.
template <typename Work>
void AddressSpace::in_pieces(std::uint64_t start, std::uint64_t end, Between between, Work work) {
    constexpr std::uint64_t pages_a_piece = 1024;
    while (start < end) {
        std::uint64_t pages = pages_a_piece;
        const std::uint64_t stop = between == nullptr ? end : table_.end_of_pages(start, end, pages);
        work(start, stop);
        start = stop;
        if (start < end)
            between();
    }
}

void AddressSpace::move_pages(std::uint64_t from, std::uint64_t to, std::uint64_t bytes) {
    Flush flush{*this};
    table_.for_each(from, from + bytes, [&](std::uint64_t at, Entry& source) {
        Entry& target = *table_.find(to + (at - from)); // the table was made before
        if (target != 0) {                              // touched before its page came
            drop_entry(target);
            flush.add(to + (at - from));
        }
        target = source;
        source = 0;
        flush.add(at);
    });
}

// To request.target, which is free.
Result<std::uint64_t> AddressSpace::move_range(const Vma& vma, const RemapRequest& request, Between between) {
    VmaFields moved = vma;
    moved.start = request.target;
    moved.end = request.target + request.new_bytes;
    moved.offset = vma.node != nullptr ? vma.offset_of(request.start) : 0;
    if (moved.kind == VmaKind::heap)
        moved.kind = VmaKind::plain;
    CAISSON_TRY(ranges_.reserve(2)); // the new range, and a hole in the old one
    const std::uint64_t old_end = request.start + request.old_bytes;
    bool complete = true;
    in_pieces(request.start, old_end, between, [&](std::uint64_t start, std::uint64_t end) {
        table_.for_each(start, end, [&](std::uint64_t at, const Entry&) {
            complete = complete && table_.make(request.target + (at - request.start)) != nullptr;
        });
    });
    // Nobody maps anything meanwhile, but a stack may have grown into the target.
    if (!complete || !ranges_.is_free(moved.start, moved.end)) {
        Flush flush{*this};
        free_tables_around(moved.start, moved.end, flush);
        return base::Failure{Errno::nomem};
    }
    CAISSON_TRY(ranges_.insert(moved));
    in_pieces(request.start, old_end, between, [&](std::uint64_t start, std::uint64_t end) {
        move_pages(start, request.target + (start - request.start), end - start);
    });
    if (request.keep_old)
        CAISSON_TRY(set_locked(request.start, old_end, false));
    else if (request.old_bytes > 0)
        CAISSON_TRY(unmap(request.start, request.old_bytes, between));
    if (moved.locked)
        (void)populate(moved.start, moved.end, moved.writable() ? Access::write : Access::read, between);
    return moved.start;
}

Result<std::uint64_t> AddressSpace::remap_to(RemapRequest request, Between between) {
    if (request.fixed) {
        const std::uint64_t target = request.target;
        if (target % base::page_size != 0 || request.new_bytes > user_end ||
            target > user_end - request.new_bytes ||
            (request.start < target + request.new_bytes && target < request.start + request.old_bytes))
            return base::Failure{Errno::inval};
        if (target < machine::lowest_user)
            return base::Failure{Errno::perm};
        CAISSON_TRY(unmap(target, request.new_bytes, between));
    }
    if (request.old_bytes > request.new_bytes) {
        CAISSON_TRY(unmap(request.start + request.new_bytes, request.old_bytes - request.new_bytes, between));
        request.old_bytes = request.new_bytes;
    }
    const Vma* vma = CAISSON_TRY(range_to_resize(request));
    if (request.keep_old && !has_room(request.new_bytes, false))
        return base::Failure{Errno::nomem};
    if (!request.fixed) {
        const auto hole = ranges_.find_hole(request.new_bytes, machine::lowest_user, mmap_top);
        if (!hole)
            return base::Failure{Errno::nomem};
        request.target = *hole;
    }
    return move_range(*vma, request, between);
}

Result<std::uint64_t> AddressSpace::remap(const RemapRequest& asked, Between between) {
    RemapRequest request = asked;
    const auto old_bytes = base::round_up(asked.old_bytes, base::page_size);
    const auto new_bytes = base::round_up(asked.new_bytes, base::page_size);
    if (asked.start % base::page_size != 0 || !old_bytes || !new_bytes || *new_bytes == 0 ||
        *new_bytes > user_end)
        return base::Failure{Errno::inval};
    request.old_bytes = *old_bytes;
    request.new_bytes = *new_bytes;
    if (ranges_.find(request.start) == nullptr || request.old_bytes > user_end - request.start)
        return base::Failure{Errno::fault};
    if (request.fixed || request.keep_old)
        return remap_to(request, between);
    if (request.new_bytes <= request.old_bytes) {
        if (request.new_bytes < request.old_bytes)
            CAISSON_TRY(
                unmap(request.start + request.new_bytes, request.old_bytes - request.new_bytes, between));
        return request.start;
    }
    const Vma* vma = CAISSON_TRY(range_to_resize(request));
    const std::uint64_t old_end = request.start + request.old_bytes;
    const bool fits = request.new_bytes <= user_end - request.start;
    if (fits && old_end == vma->end && ranges_.is_free(old_end, request.start + request.new_bytes)) {
        const bool locked = vma->locked, writable = vma->writable();
        (void)ranges_.extend_up(request.start, request.start + request.new_bytes);
        if (locked)
            (void)populate(old_end, request.start + request.new_bytes,
                           writable ? Access::write : Access::read, between);
        return request.start;
    }
    if (!request.may_move)
        return base::Failure{Errno::nomem};
    const auto hole = ranges_.find_hole(request.new_bytes, machine::lowest_user, mmap_top);
    if (!hole)
        return base::Failure{Errno::nomem};
    request.target = *hole;
    return move_range(*vma, request, between);
}

} // namespace uk::mm
