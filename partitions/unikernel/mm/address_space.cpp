// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/address_space.cpp - mapping, unmapping and protection. Moving (mremap) is in
// remap.cpp, faults are in fault.cpp.
#include "partitions/unikernel/mm/address_space.hpp"

#include "partitions/unikernel/machine/layout.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"
#include "partitions/unikernel/mm/flush.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <utility>

namespace uk::mm {

namespace {

using namespace entry_bit;

constexpr std::uint64_t pages_a_piece = 1024, ranges_a_piece = 128; // at most, of a long call

bool is_active(const AddressSpace& space) {
    return active_space() == &space;
}

// [start, start + bytes) rounded up to pages, within what programs may use.
Result<std::uint64_t> checked_end(std::uint64_t start, std::uint64_t bytes, Errno error) {
    const auto rounded = base::round_up(bytes, base::page_size);
    if (!rounded || *rounded > user_end || start > user_end - *rounded)
        return base::Failure{error};
    return start + *rounded;
}

} // namespace

AddressSpace* active_space() {
    return machine::this_cpu().space;
}

void leave_spaces() {
    if (active_space() == nullptr)
        return;
    ThisCpu cpu;
    protocol::change_space(cpu, ThisCpu::Space{});
}

void ThisCpu::load_space(Space space) {
    cpu_.space = space;
    if (space == nullptr)
        load_kernel_tables();
    else
        load_tables(space->table_.root());
}

void flush(AddressSpace& space, protocol::Freed freed, std::uint64_t place) {
    const auto forget_own = [place] {
        if (place == everything)
            forget_user_translations();
        else if (place != nothing)
            forget_translation(place);
    };
    if (machine::cpu_count == 1) { // whoever changes the space looks at nothing that it did not see
        if (is_active(space))
            forget_own();
        return;
    }
    ThisCpu cpu;
    protocol::flush(cpu, &space, freed, forget_own);
}

AddressSpace::Flush::~Flush() {
    if (pages_ > 0)
        flush(space_, freed_, pages_ > one_by_one ? everything : nothing);
}

AddressSpace::~AddressSpace() {
    if (table_.root().value() == 0)
        return;
    if (is_active(*this))
        leave_spaces();
    clear();
}

AddressSpace* AddressSpace::make() {
    auto* space = mm::make<AddressSpace>();
    if (space == nullptr || space->create().ok())
        return space;
    destroy(space);
    return nullptr;
}

void retain(AddressSpace& space) {
    ++space.references;
}

void release(AddressSpace& space) {
    if (--space.references == 0)
        destroy(&space);
}

Status AddressSpace::create() {
    return table_.create();
}

void AddressSpace::clear() {
    Flush flush{*this};
    for (const Vma& vma : ranges_)
        drop_pages(vma.start, vma.end, flush);
    // Every table lies on the way to a range; what lies below a range is gone by its turn.
    for (const Vma& vma : ranges_)
        table_.free_tables({vma.start, vma.end},
                           {0, vma.next != nullptr ? vma.next->start : ~std::uint64_t{0}});
    ranges_.clear();
    flush.add_tables();
    mmap_top = break_start = break_end = stack_top = vdso = 0;
    lock_future = false;
}

void AddressSpace::activate() const {
    ThisCpu cpu;
    protocol::change_space(cpu, const_cast<AddressSpace*>(this));
}

void AddressSpace::forget(std::uint64_t virt) const {
    if (is_active(*this))
        forget_translation(virt);
}

void AddressSpace::replaced(std::uint64_t virt) {
    flush(*this, protocol::Freed::frames, virt);
}

void order_accesses(AddressSpace& space) {
    flush(space, protocol::Freed::frames, nothing);
}

void AddressSpace::drop_entry(Entry& entry) {
    const Entry old = entry;
    entry = 0;
    --resident_;
    if ((old & counted) != 0)
        release_frame(PhysAddr{old & address});
}

void AddressSpace::drop_pages(std::uint64_t start, std::uint64_t end, Flush& flush) {
    table_.for_each(start, end, [&](std::uint64_t at, Entry& entry) {
        drop_entry(entry);
        flush.add(at);
    });
}

void AddressSpace::free_tables_around(std::uint64_t start, std::uint64_t end, Flush& flush) {
    const VmaTree::Gap gap = ranges_.gap_around(start, end);
    const std::uint64_t before = table_.tables();
    table_.free_tables({start, end}, {gap.start, gap.end});
    if (table_.tables() != before)
        flush.add_tables();
}

bool AddressSpace::has_room(std::uint64_t bytes, bool data) const {
    const auto fits = [bytes](std::uint64_t used, std::uint64_t limit) {
        return bytes <= limit && used <= limit - bytes;
    };
    return fits(ranges_.total(), limits.total) && (!data || fits(ranges_.data(), limits.data));
}

Result<std::uint64_t> AddressSpace::choose_place(const MapRequest& request, std::uint64_t bytes) const {
    const std::uint64_t start = base::round_down(request.address, base::page_size);
    if (request.fixed || request.no_replace) {
        if (start != request.address)
            return base::Failure{Errno::inval};
        if (start < machine::lowest_user)
            return base::Failure{Errno::perm};
        const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::nomem));
        if (request.no_replace && !ranges_.is_free(start, end))
            return base::Failure{Errno::exist};
        return start;
    }
    if (start >= machine::lowest_user && start <= user_end - bytes && ranges_.is_free(start, start + bytes))
        return start;
    auto hole = ranges_.find_hole(bytes, machine::lowest_user, mmap_top);
    if (!hole)
        hole = ranges_.find_hole(bytes, mmap_top, user_end);
    if (!hole)
        return base::Failure{Errno::nomem};
    return *hole;
}

Result<std::uint64_t> AddressSpace::map(const MapRequest& request, Between between) {
    const auto bytes = base::round_up(request.bytes, base::page_size);
    if (!bytes || *bytes == 0 || *bytes > user_end)
        return base::Failure{request.bytes == 0 ? Errno::inval : Errno::nomem};
    VmaFields fields;
    fields.start = CAISSON_TRY(choose_place(request, *bytes));
    fields.end = fields.start + *bytes;
    fields.node = request.node;
    fields.offset = request.node != nullptr ? request.offset : 0;
    fields.protection = request.protection;
    fields.kind = request.kind;
    fields.shared = request.shared;
    fields.shared_writable = request.shared_writable;
    fields.grows_down = request.grows_down;
    fields.locked = request.locked || lock_future;
    base::expects(!fields.shared || fields.node != nullptr, "shared memory without a node");
    const bool replaces = !ranges_.is_free(fields.start, fields.end);
    if (!has_room(*bytes, fields.is_data()) && !replaces)
        return base::Failure{Errno::nomem};
    if (fields.locked && (*bytes > limits.locked || ranges_.locked() > limits.locked - *bytes))
        return base::Failure{Errno::again};
    CAISSON_TRY(ranges_.insert(fields));
    if (replaces) {
        Flush flush{*this};
        drop_pages(fields.start, fields.end, flush);
    }
    if (request.populate || fields.locked)
        (void)populate(fields.start, fields.end, fields.writable() ? Access::write : Access::read, between);
    return fields.start;
}

std::uint64_t AddressSpace::piece_end(std::uint64_t start, std::uint64_t end, Between between) const {
    std::uint64_t pages = pages_a_piece, ranges = ranges_a_piece;
    if (between == nullptr || end - start <= ranges * base::page_size)
        return end;
    for (const Vma* vma = ranges_.first_at_or_after(start); vma != nullptr && vma->start < end;
         vma = vma->next) {
        if (ranges-- == 0)
            return vma->start;
        const std::uint64_t stop =
            table_.end_of_pages(std::max(vma->start, start), std::min(vma->end, end), pages);
        if (pages == 0)
            return stop;
    }
    return end;
}

Status AddressSpace::unmap_piece(std::uint64_t start, std::uint64_t end) {
    if (ranges_.is_free(start, end))
        return base::success;
    CAISSON_TRY(ranges_.remove(start, end));
    Flush flush{*this};
    drop_pages(start, end, flush);
    free_tables_around(start, end, flush);
    return base::success;
}

Status AddressSpace::unmap(std::uint64_t start, std::uint64_t bytes, Between between) {
    if (!base::VirtAddr{start}.is_aligned(base::page_size) || bytes == 0)
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::inval));
    for (;;) {
        const std::uint64_t stop = piece_end(start, end, between);
        // A piece may need a range more than all of it does.
        if (!unmap_piece(start, stop).ok())
            return unmap_piece(start, end);
        if (stop == end)
            return base::success;
        start = stop;
        between();
    }
}

void AddressSpace::shed(Between between) {
    if (resident_ > pages_a_piece || ranges_.count() > ranges_a_piece)
        (void)unmap(0, user_end, between); // needs no memory: what goes begins where a range does
}

AddressSpace::Reach AddressSpace::reach_of(std::uint64_t start, std::uint64_t end,
                                           std::uint8_t wanted) const {
    Reach reach;
    reach.end = ranges_.covered_until(start, end);
    if (reach.end < end)
        reach.why = base::Failure{Errno::nomem};
    for (const Vma* vma = ranges_.first_at_or_after(start); vma != nullptr && vma->start < reach.end;
         vma = vma->next) {
        VmaFields changed = *vma;
        changed.protection = wanted;
        if (changed.shared && changed.writable() && !changed.shared_writable) {
            reach.end = std::max(vma->start, start);
            reach.why = base::Failure{Errno::acces};
        } else if (changed.is_data() && !vma->is_data()) {
            reach.more_data += std::min(vma->end, reach.end) - std::max(vma->start, start);
        }
    }
    return reach;
}

Status AddressSpace::protect_piece(std::uint64_t start, const Reach& reach, std::uint8_t wanted) {
    if (reach.end > start) {
        const auto set = [](VmaFields& fields, std::uint8_t value) { fields.protection = value; };
        CAISSON_TRY(ranges_.change(start, reach.end, set, wanted));
        protect_pages(start, reach.end, wanted);
    }
    return reach.why;
}

Status AddressSpace::protect(std::uint64_t start, std::uint64_t bytes, std::uint8_t wanted,
                             bool from_stack_bottom, Between between) {
    if (!base::VirtAddr{start}.is_aligned(base::page_size))
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::nomem));
    if (start == end)
        return base::success;
    if (from_stack_bottom) {
        const Vma* vma = ranges_.first_at_or_after(start);
        if (vma == nullptr || vma->start >= end)
            return base::Failure{Errno::nomem};
        if (!vma->grows_down)
            return base::Failure{Errno::inval};
        start = vma->start;
    }
    const Reach all = reach_of(start, end, wanted);
    if (all.more_data > 0 && (all.more_data > limits.data || ranges_.data() > limits.data - all.more_data))
        return base::Failure{Errno::nomem};
    std::uint64_t stop = piece_end(start, end, between);
    if (stop == end)
        return protect_piece(start, all, wanted);
    for (;; stop = piece_end(start, end, between)) {
        const Status done = protect_piece(start, reach_of(start, stop, wanted), wanted);
        if (stop == end)
            return done;
        if (!done.ok()) // a piece may need a range more than all of it does
            return done.error() == Errno::nomem ? protect_piece(start, reach_of(start, end, wanted), wanted)
                                                : done;
        start = stop;
        between();
    }
}

void AddressSpace::protect_pages(std::uint64_t start, std::uint64_t end, std::uint8_t wanted) {
    // Writing is given here only where it needs no decision: to a private page that nobody else holds.
    Flush flush{*this};
    table_.for_each(start, end, [&](std::uint64_t at, Entry& entry) {
        Entry updated = entry & ~(present | writable | no_execute);
        if (wanted != 0)
            updated |= present;
        if ((wanted & protection::execute) == 0)
            updated |= no_execute;
        if ((wanted & protection::write) != 0 && (entry & own) != 0 &&
            frame_users(PhysAddr{entry & address}) == 1)
            updated |= writable | dirty;
        if ((wanted & protection::write) != 0)
            updated |= entry & writable;
        if (updated == entry)
            return;
        entry = updated;
        flush.add(at);
    });
}

Status AddressSpace::discard_piece(std::uint64_t start, std::uint64_t end, bool locked_too) {
    Flush flush{*this};
    for (const Vma* vma = ranges_.first_at_or_after(start); vma != nullptr && vma->start < end;
         vma = vma->next) {
        if ((vma->locked && !locked_too) || vma->kind == VmaKind::vdso)
            return base::Failure{Errno::inval};
        drop_pages(std::max(vma->start, start), std::min(vma->end, end), flush);
    }
    return base::success;
}

Status AddressSpace::discard(std::uint64_t start, std::uint64_t bytes, bool locked_too, Between between) {
    if (!base::VirtAddr{start}.is_aligned(base::page_size))
        return base::Failure{Errno::inval};
    const std::uint64_t end = CAISSON_TRY(checked_end(start, bytes, Errno::inval));
    bool covered = true;
    while (start < end) {
        const std::uint64_t stop = piece_end(start, end, between);
        CAISSON_TRY(discard_piece(start, stop, locked_too));
        covered = covered && ranges_.is_covered(start, stop);
        start = stop;
        if (start < end)
            between();
    }
    return covered ? Status{base::success} : Status{base::Failure{Errno::nomem}};
}

Status AddressSpace::set_locked(std::uint64_t start, std::uint64_t end, bool on) {
    const std::uint64_t stop = ranges_.covered_until(start, end);
    const auto set = [](VmaFields& fields, std::uint8_t value) { fields.locked = value != 0; };
    CAISSON_TRY(ranges_.change(start, stop, set, on ? 1 : 0));
    return stop == end ? Status{base::success} : Status{base::Failure{Errno::nomem}};
}

Status AddressSpace::set_on_fork(std::uint64_t start, std::uint64_t end, OnFork what) {
    const std::uint64_t stop = ranges_.covered_until(start, end);
    const auto set = [](VmaFields& fields, std::uint8_t value) {
        fields.on_fork = static_cast<OnFork>(value);
    };
    CAISSON_TRY(ranges_.change(start, stop, set, static_cast<std::uint8_t>(what)));
    return stop == end ? Status{base::success} : Status{base::Failure{Errno::nomem}};
}

std::uint64_t AddressSpace::set_break(std::uint64_t wanted, Between between) {
    if (wanted < break_start || wanted > user_end - base::page_size || wanted - break_start > limits.data)
        return break_end;
    const std::uint64_t old_page = base::round_down(break_end + base::page_size - 1, base::page_size);
    const std::uint64_t new_page = base::round_down(wanted + base::page_size - 1, base::page_size);
    if (new_page > old_page) {
        if (!ranges_.is_free(old_page, new_page) || !has_room(new_page - old_page, true))
            return break_end;
        VmaFields heap;
        heap.start = old_page;
        heap.end = new_page;
        heap.protection = protection::read | protection::write;
        heap.kind = VmaKind::heap;
        heap.locked = lock_future;
        if (!ranges_.insert(heap).ok())
            return break_end;
    }
    const std::uint64_t before =
        std::exchange(break_end, wanted); // whoever asks between two pieces sees where it will be
    if (new_page < old_page && !unmap(new_page, old_page - new_page, between).ok())
        break_end = before;
    return break_end;
}

bool AddressSpace::is_resident(std::uint64_t virt) const {
    const Entry* entry = table_.find(virt);
    return entry != nullptr && *entry != 0;
}

std::uint64_t AddressSpace::resident_in(const Vma& vma) const {
    std::uint64_t pages = 0;
    table_.for_each(vma.start, vma.end, [&pages](std::uint64_t, const Entry&) { ++pages; });
    return pages;
}

void AddressSpace::forget_pages_of(const Vma& vma, std::uint64_t first, std::uint64_t end, bool copies_too) {
    const std::uint64_t from_page = vma.offset / base::page_size;
    const std::uint64_t pages = vma.bytes() / base::page_size;
    if (end <= from_page || first >= from_page + pages)
        return;
    const std::uint64_t from = first > from_page ? first - from_page : 0;
    const std::uint64_t to = std::min(end - from_page, pages);
    Flush flush{*this};
    table_.for_each(vma.start + from * base::page_size, vma.start + to * base::page_size,
                    [&](std::uint64_t at, Entry& entry) {
                        if ((entry & own) != 0 && !copies_too)
                            return;
                        drop_entry(entry);
                        flush.add(at);
                    });
}

void forget_pages(Mappings& mappings, std::uint64_t first, std::uint64_t end, bool copies_too) {
    for (const Vma* vma = mappings.first(); vma != nullptr; vma = vma->next_of_node)
        vma->space->forget_pages_of(*vma, first, end, copies_too);
}

} // namespace uk::mm
