// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file_table.cpp - an array of slots that doubles, and which are in use in two levels of
// bits, so that the lowest free one is found without a look at each.
#include "partitions/unikernel/fs/files/file_table.hpp"

#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>
#include <bit>

namespace uk::fs {

namespace {

constexpr unsigned bits = 64, first_capacity = bits;

constexpr unsigned words_for(unsigned count) {
    return (count + bits - 1) / bits;
}

// The first bit that is clear at `from` or behind; at least `count` where there is none.
unsigned first_clear(const std::uint64_t* words, unsigned from, unsigned count) {
    for (unsigned word = from / bits; word * bits < count; ++word) {
        const std::uint64_t below = word == from / bits ? (std::uint64_t{1} << from % bits) - 1 : 0;
        if (const std::uint64_t set = words[word] | below; set != ~std::uint64_t{0})
            return word * bits + static_cast<unsigned>(std::countr_one(set));
    }
    return count;
}

} // namespace

unsigned FileTable::lowest_free(unsigned from) const {
    from = std::max(from, hint_);
    if (from >= capacity_)
        return from;
    const unsigned word = from / bits;
    const unsigned here = first_clear(used_, from, (word + 1) * bits);
    if (here < (word + 1) * bits)
        return here;
    const unsigned next = first_clear(full_, word + 1, capacity_ / bits);
    return next < capacity_ / bits ? first_clear(used_, next * bits, capacity_) : capacity_;
}

void FileTable::mark(unsigned index, bool used) {
    const std::uint64_t bit = std::uint64_t{1} << index % bits;
    std::uint64_t& word = used_[index / bits];
    word = used ? word | bit : word & ~bit;
    const std::uint64_t full = std::uint64_t{1} << index / bits % bits;
    std::uint64_t& above = full_[index / bits / bits];
    above = word == ~std::uint64_t{0} ? above | full : above & ~full;
    if (used && index == hint_)
        ++hint_;
    else if (!used)
        hint_ = std::min(hint_, index);
}

// By words of the map: a table that was large once costs a fork and an exec what is open now.
unsigned FileTable::first_used(unsigned from) const {
    std::uint64_t mask = ~std::uint64_t{0} << from % bits;
    for (unsigned word = from / bits; word < words_for(capacity_); ++word, mask = ~std::uint64_t{0})
        if (const std::uint64_t open = used_[word] & mask; open != 0)
            return word * bits + static_cast<unsigned>(std::countr_zero(open));
    return capacity_;
}

Result<Ref<File>> FileTable::get(int descriptor) const {
    const auto index = static_cast<unsigned>(descriptor);
    if (descriptor < 0 || index >= capacity_ || slots_[index].file == nullptr)
        return base::Failure{Errno::badf};
    return Ref<File>{slots_[index].file};
}

Status FileTable::reserve(unsigned count) {
    if (count <= capacity_)
        return base::success;
    unsigned capacity = std::max(capacity_, first_capacity);
    while (capacity < count)
        capacity *= 2;
    const unsigned words = words_for(capacity), old_words = words_for(capacity_);
    auto* slots = static_cast<Slot*>(
        mm::allocate(sizeof(Slot) * capacity + sizeof(std::uint64_t) * (words + words_for(words))));
    if (slots == nullptr)
        return base::Failure{Errno::nomem};
    auto* used = reinterpret_cast<std::uint64_t*>(slots + capacity);
    auto* full = used + words;
    std::copy_n(slots_, capacity_, slots);
    std::fill(slots + capacity_, slots + capacity, Slot{nullptr, false});
    std::copy_n(used_, old_words, used);
    std::fill(used + old_words, used + words, 0);
    std::copy_n(full_, words_for(old_words), full);
    std::fill(full + words_for(old_words), full + words_for(words), 0);
    mm::free(slots_);
    slots_ = slots;
    used_ = used;
    full_ = full;
    capacity_ = capacity;
    return base::success;
}

Result<int> FileTable::add(Ref<File> file, bool close_on_exec, int lowest) {
    if (lowest < 0 || static_cast<unsigned>(lowest) >= limit)
        return base::Failure{Errno::inval};
    const unsigned index = lowest_free(static_cast<unsigned>(lowest));
    if (index >= limit)
        return base::Failure{Errno::mfile};
    CAISSON_TRY(reserve(index + 1));
    slots_[index] = {file.leak(), close_on_exec};
    mark(index, true);
    return static_cast<int>(index);
}

Status FileTable::put(int descriptor, Ref<File> file, bool close_on_exec) {
    const auto index = static_cast<unsigned>(descriptor);
    if (descriptor < 0 || index >= limit)
        return base::Failure{Errno::badf};
    CAISSON_TRY(reserve(index + 1));
    File* old = slots_[index].file;
    slots_[index] = {file.leak(), close_on_exec};
    mark(index, true);
    if (old != nullptr)
        drop(*old);
    return base::success;
}

// POSIX: closing any descriptor of a file gives up all of the process's range locks on it.
void FileTable::drop(File& file) {
    if (file.node->locks != nullptr)
        unlock_all(*file.node, *this);
    release(file);
}

Status FileTable::close(int descriptor) {
    const auto index = static_cast<unsigned>(descriptor);
    if (descriptor < 0 || index >= capacity_ || slots_[index].file == nullptr)
        return base::Failure{Errno::badf};
    File* file = slots_[index].file;
    slots_[index] = {nullptr, false};
    mark(index, false);
    drop(*file);
    return base::success;
}

void FileTable::close_range(unsigned first, unsigned last) {
    for (unsigned i = first_used(first); i < capacity_ && i <= last; i = first_used(i + 1))
        (void)close(static_cast<int>(i));
}

void FileTable::mark_range_close_on_exec(unsigned first, unsigned last) {
    for (unsigned i = first_used(first); i < capacity_ && i <= last; i = first_used(i + 1))
        slots_[i].close_on_exec = true;
}

Result<bool> FileTable::close_on_exec(int descriptor) const {
    (void)CAISSON_TRY(get(descriptor));
    return slots_[descriptor].close_on_exec;
}

Status FileTable::set_close_on_exec(int descriptor, bool on) {
    (void)CAISSON_TRY(get(descriptor));
    slots_[descriptor].close_on_exec = on;
    return base::success;
}

int FileTable::next(int from) const {
    const unsigned found = first_used(static_cast<unsigned>(std::max(from, 0)));
    return found < capacity_ ? static_cast<int>(found) : -1;
}

Status FileTable::copy_from(const FileTable& other) {
    unsigned count = 0;
    for (unsigned i = other.first_used(0); i < other.capacity_; i = other.first_used(i + 1))
        count = i + 1;
    CAISSON_TRY(reserve(count));
    for (unsigned i = other.first_used(0); i < count; i = other.first_used(i + 1)) {
        slots_[i] = other.slots_[i];
        retain(*slots_[i].file);
        mark(i, true);
    }
    limit = other.limit;
    return base::success;
}

void FileTable::close_marked() {
    for (unsigned i = first_used(0); i < capacity_; i = first_used(i + 1))
        if (slots_[i].close_on_exec)
            (void)close(static_cast<int>(i));
}

void retain(FileTable& table) {
    ++table.references;
}

void release(FileTable& table) {
    if (--table.references == 0)
        mm::destroy(&table);
}

void FileTable::close_all() {
    close_range(0, ~0u);
    mm::free(slots_);
    slots_ = nullptr;
    used_ = full_ = nullptr;
    capacity_ = hint_ = 0;
}

} // namespace uk::fs
