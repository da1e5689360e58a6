// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/mm/vma.cpp - the tree of ranges. See vma.hpp.
#include "partitions/unikernel/mm/vma.hpp"

#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <utility>

namespace uk::mm {

namespace {

// What stays free below a range that grows down, towards what is not one: 256 pages, as on Linux.
constexpr std::uint64_t grow_gap = std::uint64_t{256} * base::page_size;

std::uint64_t lower_edge(const Vma& vma) {
    return vma.grows_down ? vma.start - std::min(vma.start, grow_gap) : vma.start;
}

std::uint64_t gap_below(const Vma& vma) {
    const std::uint64_t floor = vma.previous != nullptr ? vma.previous->end : 0;
    const std::uint64_t edge = lower_edge(vma);
    return edge > floor ? edge - floor : 0;
}

bool joins(const VmaFields& low, const VmaFields& high) {
    return low.end == high.start && low.node == high.node && low.protection == high.protection &&
           low.kind == high.kind && low.shared == high.shared &&
           low.shared_writable == high.shared_writable && low.grows_down == high.grows_down &&
           low.locked == high.locked && low.on_fork == high.on_fork &&
           (low.node == nullptr || low.offset + low.bytes() == high.offset);
}

} // namespace

void Mappings::add(Vma& vma) {
    vma.previous_of_node = nullptr;
    vma.next_of_node = first_;
    if (first_ != nullptr)
        first_->previous_of_node = &vma;
    first_ = &vma;
}

void Mappings::remove(Vma& vma) {
    (vma.previous_of_node != nullptr ? vma.previous_of_node->next_of_node : first_) = vma.next_of_node;
    if (vma.next_of_node != nullptr)
        vma.next_of_node->previous_of_node = vma.previous_of_node;
}

VmaTree::~VmaTree() {
    clear();
    while (spares_ > 0)
        destroy(spare_[--spares_]);
}

// ---- The balanced tree.

void VmaTree::update(Vma& vma) const {
    const unsigned left = vma.left_ != nullptr ? vma.left_->height_ : 0;
    const unsigned right = vma.right_ != nullptr ? vma.right_->height_ : 0;
    vma.height_ = std::max(left, right) + 1;
    vma.largest_gap_ = std::max({gap_below(vma), vma.left_ != nullptr ? vma.left_->largest_gap_ : 0,
                                 vma.right_ != nullptr ? vma.right_->largest_gap_ : 0});
}

// The child on the other side takes the place of `parent`, which becomes its child on the given side.
void VmaTree::rotate(Vma& parent, bool left) {
    Vma* child = left ? parent.right_ : parent.left_;
    Vma*& inner = left ? child->left_ : child->right_;
    (left ? parent.right_ : parent.left_) = inner;
    if (inner != nullptr)
        inner->parent_ = &parent;
    inner = &parent;
    child->parent_ = parent.parent_;
    if (parent.parent_ == nullptr)
        root_ = child;
    else
        (parent.parent_->left_ == &parent ? parent.parent_->left_ : parent.parent_->right_) = child;
    parent.parent_ = child;
    update(parent);
    update(*child);
}

void VmaTree::refresh(Vma* from) {
    const auto height = [](const Vma* vma) { return vma != nullptr ? vma->height_ : 0; };
    for (Vma* vma = from; vma != nullptr; vma = vma->parent_) {
        update(*vma);
        if (height(vma->left_) > height(vma->right_) + 1) {
            if (height(vma->left_->left_) < height(vma->left_->right_))
                rotate(*vma->left_, true);
            rotate(*vma, false);
            vma = vma->parent_;
        } else if (height(vma->right_) > height(vma->left_) + 1) {
            if (height(vma->right_->right_) < height(vma->right_->left_))
                rotate(*vma->right_, false);
            rotate(*vma, true);
            vma = vma->parent_;
        }
    }
}

void VmaTree::refresh_gap(Vma* vma) {
    for (; vma != nullptr; vma = vma->parent_)
        update(*vma);
}

void VmaTree::link(Vma& vma, Vma* previous) {
    Vma* next = previous != nullptr ? previous->next : first_;
    vma.previous = previous;
    vma.next = next;
    (previous != nullptr ? previous->next : first_) = &vma;
    (next != nullptr ? next->previous : last_) = &vma;
    vma.left_ = vma.right_ = nullptr;
    if (previous != nullptr && previous->right_ == nullptr) {
        vma.parent_ = previous;
        previous->right_ = &vma;
    } else {
        vma.parent_ = next;
        (next != nullptr ? next->left_ : root_) = &vma;
    }
    refresh(&vma);
    refresh_gap(next);
}

void VmaTree::unlink(Vma& vma) {
    Vma* next = vma.next;
    (vma.previous != nullptr ? vma.previous->next : first_) = next;
    (next != nullptr ? next->previous : last_) = vma.previous;
    const auto replace = [this](const Vma& old, Vma* by) {
        if (old.parent_ == nullptr)
            root_ = by;
        else
            (old.parent_->left_ == &old ? old.parent_->left_ : old.parent_->right_) = by;
        if (by != nullptr)
            by->parent_ = old.parent_;
    };
    Vma* from = vma.parent_;
    if (vma.left_ == nullptr || vma.right_ == nullptr) {
        replace(vma, vma.left_ != nullptr ? vma.left_ : vma.right_);
    } else { // the next range has no left child: it takes this one's place
        from = next->parent_ == &vma ? next : next->parent_;
        replace(*next, next->right_);
        next->left_ = vma.left_;
        next->right_ = vma.right_;
        replace(vma, next);
        next->left_->parent_ = next;
        if (next->right_ != nullptr)
            next->right_->parent_ = next;
    }
    refresh(from);
    refresh_gap(next);
}

// ---- Objects.

Status VmaTree::reserve(unsigned wanted) {
    if (count_ + wanted > max_map_count)
        return base::Failure{Errno::nomem};
    while (spares_ < wanted) {
        Vma* vma = make<Vma>();
        if (vma == nullptr)
            return base::Failure{Errno::nomem};
        spare_[spares_++] = vma;
    }
    return base::success;
}

void VmaTree::account(const VmaFields& fields, bool in) {
    const auto add = [in](std::uint64_t& sum, std::uint64_t bytes) { sum = in ? sum + bytes : sum - bytes; };
    add(total_, fields.bytes());
    if (fields.is_data())
        add(data_, fields.bytes());
    if (fields.locked)
        add(locked_, fields.bytes());
}

Vma& VmaTree::place(const VmaFields& fields, Vma* previous) {
    Vma& vma = *spare_[--spares_];
    static_cast<VmaFields&>(vma) = fields;
    vma.space = space_;
    if (vma.node != nullptr) {
        fs::retain(*vma.node);
        fs::mappings_of(*vma.node).add(vma);
    }
    account(fields, true);
    ++count_;
    link(vma, previous);
    return vma;
}

void VmaTree::take_out(Vma& vma) {
    unlink(vma);
    account(vma, false);
    --count_;
    if (vma.node != nullptr) {
        fs::mappings_of(*vma.node).remove(vma);
        fs::release(*vma.node);
    }
    if (spares_ < spare_.size())
        spare_[spares_++] = &vma;
    else
        destroy(&vma);
}

void VmaTree::split(Vma& vma, std::uint64_t at) {
    VmaFields high = vma;
    high.offset = vma.node != nullptr ? vma.offset_of(at) : 0;
    high.start = at;
    account(high, false);
    vma.end = at;
    (void)place(high, &vma);
}

void VmaTree::merge_with_next(Vma& vma) {
    const std::uint64_t end = vma.next->end;
    VmaFields grown = vma;
    grown.start = vma.end;
    grown.end = end;
    take_out(*vma.next);
    account(grown, true);
    vma.end = end;
    refresh_gap(vma.next);
}

void VmaTree::merge_around(std::uint64_t start, std::uint64_t end) {
    Vma* vma = last_before(start);
    if (vma == nullptr)
        vma = first_;
    while (vma != nullptr && vma->start <= end && vma->next != nullptr) {
        if (joins(*vma, *vma->next))
            merge_with_next(*vma);
        else
            vma = vma->next;
    }
}

void VmaTree::cut_at(std::uint64_t address) {
    Vma* vma = find_mutable(address);
    if (vma != nullptr && vma->start < address)
        split(*vma, address);
}

unsigned VmaTree::cuts_needed(std::uint64_t start, std::uint64_t end) const {
    const Vma* low = find(start);
    const Vma* high = find(end);
    return (low != nullptr && low->start < start ? 1 : 0) + (high != nullptr && high->start < end ? 1 : 0);
}

void VmaTree::erase(std::uint64_t start, std::uint64_t end) {
    auto* vma = const_cast<Vma*>(first_at_or_after(start));
    while (vma != nullptr && vma->start < end) {
        Vma* next = vma->next;
        take_out(*vma);
        vma = next;
    }
}

// ---- Looking.

const Vma* VmaTree::first_at_or_after(std::uint64_t address) const {
    const Vma* best = nullptr;
    for (const Vma* vma = root_; vma != nullptr;) {
        if (vma->end > address) {
            best = vma;
            if (vma->start <= address)
                break;
            vma = vma->left_;
        } else {
            vma = vma->right_;
        }
    }
    return best;
}

const Vma* VmaTree::find(std::uint64_t address) const {
    const Vma* vma = first_at_or_after(address);
    return vma != nullptr && vma->contains(address) ? vma : nullptr;
}

Vma* VmaTree::find_mutable(std::uint64_t address) const {
    return const_cast<Vma*>(find(address));
}

// The last range that starts below `address`.
Vma* VmaTree::last_before(std::uint64_t address) const {
    Vma* best = nullptr;
    for (Vma* vma = root_; vma != nullptr;) {
        if (vma->start < address) {
            best = vma;
            vma = vma->right_;
        } else {
            vma = vma->left_;
        }
    }
    return best;
}

std::optional<std::uint64_t> VmaTree::find_hole(std::uint64_t bytes, std::uint64_t low,
                                                std::uint64_t high) const {
    if (bytes == 0 || high < low || high - low < bytes)
        return std::nullopt;
    const Vma* vma = last_before(high);
    // Between the last range below `high` and what is above it.
    const Vma* above = vma != nullptr ? vma->next : first_;
    const std::uint64_t top = above != nullptr ? std::min(high, lower_edge(*above)) : high;
    const std::uint64_t floor = vma != nullptr ? std::max(vma->end, low) : low;
    if (top >= floor && top - floor >= bytes)
        return top - bytes;
    // The last range not behind `vma` with such a gap below it: up the tree, and down where it must be.
    const auto fits = [bytes](const Vma* part) { return part != nullptr && part->largest_gap_ >= bytes; };
    while (vma != nullptr && gap_below(*vma) < bytes) {
        if (fits(vma->left_)) {
            vma = vma->left_;
            while (gap_below(*vma) < bytes || fits(vma->right_))
                vma = fits(vma->right_) ? vma->right_ : vma->left_;
            break;
        }
        while (vma->parent_ != nullptr && vma->parent_->left_ == vma)
            vma = vma->parent_;
        vma = vma->parent_;
    }
    if (vma == nullptr || lower_edge(*vma) < low || lower_edge(*vma) - low < bytes)
        return std::nullopt;
    return lower_edge(*vma) - bytes;
}

bool VmaTree::is_free(std::uint64_t start, std::uint64_t end) const {
    const Vma* vma = first_at_or_after(start);
    return vma == nullptr || vma->start >= end;
}

std::uint64_t VmaTree::covered_until(std::uint64_t start, std::uint64_t end) const {
    for (const Vma* vma = first_at_or_after(start); start < end; vma = vma->next) {
        if (vma == nullptr || vma->start > start)
            return start;
        start = vma->end;
    }
    return end;
}

bool VmaTree::is_covered(std::uint64_t start, std::uint64_t end) const {
    return start >= end || covered_until(start, end) == end;
}

VmaTree::Gap VmaTree::gap_around(std::uint64_t start, std::uint64_t end) const {
    const Vma* next = first_at_or_after(end);
    const Vma* previous = last_before(start);
    return {previous != nullptr ? std::min(previous->end, start) : 0,
            next != nullptr ? std::max(next->start, end) : ~std::uint64_t{0}};
}

// ---- Changing.

Status VmaTree::insert(const VmaFields& fields) {
    base::expects(fields.start < fields.end, "VmaTree: an empty range");
    Vma* before = last_before(fields.start);
    if (is_free(fields.start, fields.end) && before != nullptr && joins(*before, fields)) {
        account(fields, true); // the usual case needs no object
        before->end = fields.end;
        if (before->next != nullptr) {
            refresh_gap(before->next);
            if (joins(*before, *before->next))
                merge_with_next(*before);
        }
        return base::success;
    }
    CAISSON_TRY(reserve(cuts_needed(fields.start, fields.end) + 1));
    cut_at(fields.start);
    cut_at(fields.end);
    erase(fields.start, fields.end);
    (void)place(fields, last_before(fields.start));
    merge_around(fields.start, fields.end);
    return base::success;
}

Status VmaTree::remove(std::uint64_t start, std::uint64_t end) {
    // Cutting a hole into one range makes one more; a cut at one end alone makes none in the end.
    const unsigned cuts = cuts_needed(start, end);
    const Vma* vma = find(start);
    const bool hole = cuts == 2 && vma != nullptr && vma->end > end;
    if (hole && count_ + 1 > max_map_count)
        return base::Failure{Errno::nomem};
    if (hole) { // no object is needed for what goes
        CAISSON_TRY(reserve(1));
        Vma& low = *find_mutable(start);
        split(low, end);
        VmaFields gone = low;
        gone.start = start;
        account(gone, false);
        low.end = start;
        refresh_gap(low.next);
        return base::success;
    }
    if (vma != nullptr && vma->start < start) {
        Vma& low = *find_mutable(start);
        VmaFields gone = low;
        gone.start = start;
        account(gone, false);
        low.end = start;
        if (low.next != nullptr)
            refresh_gap(low.next);
    }
    if (Vma* high = find_mutable(end); high != nullptr && high->start < end) {
        VmaFields gone = *high;
        gone.end = end;
        account(gone, false);
        high->offset = high->node != nullptr ? high->offset_of(end) : 0;
        high->start = end;
        refresh_gap(high);
    }
    erase(start, end);
    return base::success;
}

Status VmaTree::change(std::uint64_t start, std::uint64_t end, Change apply, std::uint8_t value) {
    if (start >= end)
        return base::success;
    CAISSON_TRY(reserve(cuts_needed(start, end)));
    cut_at(start);
    cut_at(end);
    for (auto* vma = const_cast<Vma*>(first_at_or_after(start)); vma != nullptr && vma->start < end;
         vma = vma->next) {
        account(*vma, false);
        apply(*vma, value);
        account(*vma, true);
    }
    merge_around(start, end);
    return base::success;
}

bool VmaTree::extend_down(std::uint64_t address, std::uint64_t new_start) {
    Vma* vma = find_mutable(address);
    if (vma == nullptr || vma->node != nullptr || new_start > vma->start || !is_free(new_start, vma->start))
        return false;
    account(*vma, false);
    vma->start = new_start;
    account(*vma, true);
    refresh_gap(vma);
    return true;
}

bool VmaTree::extend_up(std::uint64_t address, std::uint64_t new_end) {
    Vma* vma = find_mutable(address);
    if (vma == nullptr || new_end < vma->end || !is_free(vma->end, new_end))
        return false;
    account(*vma, false);
    vma->end = new_end;
    account(*vma, true);
    if (vma->next != nullptr) {
        refresh_gap(vma->next);
        if (joins(*vma, *vma->next))
            merge_with_next(*vma);
    }
    return true;
}

void VmaTree::clear() {
    for (Vma* vma = first_; vma != nullptr;) {
        Vma* next = vma->next;
        if (vma->node != nullptr) {
            fs::mappings_of(*vma->node).remove(*vma);
            fs::release(*vma->node);
        }
        destroy(vma);
        vma = next;
    }
    root_ = first_ = last_ = nullptr;
    count_ = 0;
    total_ = data_ = locked_ = 0;
}

bool VmaTree::sound() const {
    std::size_t seen = 0;
    std::uint64_t bytes = 0, data = 0, locked = 0;
    const Vma* before = nullptr;
    for (const Vma* vma = first_; vma != nullptr; before = vma, vma = vma->next, ++seen) {
        bytes += vma->bytes();
        data += vma->is_data() ? vma->bytes() : 0;
        locked += vma->locked ? vma->bytes() : 0;
        const unsigned left = vma->left_ != nullptr ? vma->left_->height_ : 0;
        const unsigned right = vma->right_ != nullptr ? vma->right_->height_ : 0;
        Vma copy = *vma;
        update(copy);
        if (vma->start >= vma->end || vma->previous != before || left > right + 1 || right > left + 1 ||
            copy.height_ != vma->height_ || copy.largest_gap_ != vma->largest_gap_ ||
            (vma->left_ != nullptr && (vma->left_->parent_ != vma || vma->left_->start >= vma->start)) ||
            (vma->right_ != nullptr && (vma->right_->parent_ != vma || vma->right_->start <= vma->start)) ||
            (vma->parent_ == nullptr) != (vma == root_) ||
            (before != nullptr && (before->end > vma->start || joins(*before, *vma))))
            return false;
    }
    return before == last_ && seen == count_ && bytes == total_ && data == data_ && locked == locked_;
}

} // namespace uk::mm
