// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/file_table.cpp - an array of slots that doubles.
#include "partitions/unikernel/fs/files/file_table.hpp"

#include "partitions/unikernel/fs/files/locks.hpp"
#include "partitions/unikernel/mm/heap.hpp"

#include <algorithm>

namespace uk::fs {

namespace {

constexpr unsigned first_capacity = 16;

} // namespace

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
    auto* slots = static_cast<Slot*>(mm::allocate(sizeof(Slot) * capacity));
    if (slots == nullptr)
        return base::Failure{Errno::nomem};
    std::copy_n(slots_, capacity_, slots);
    std::fill(slots + capacity_, slots + capacity, Slot{nullptr, false});
    mm::free(slots_);
    slots_ = slots;
    capacity_ = capacity;
    return base::success;
}

Result<int> FileTable::add(Ref<File> file, bool close_on_exec, int lowest) {
    if (lowest < 0 || static_cast<unsigned>(lowest) >= limit)
        return base::Failure{Errno::inval};
    auto index = static_cast<unsigned>(lowest);
    while (index < capacity_ && slots_[index].file != nullptr)
        ++index;
    if (index >= limit)
        return base::Failure{Errno::mfile};
    CAISSON_TRY(reserve(index + 1));
    slots_[index] = {file.leak(), close_on_exec};
    return static_cast<int>(index);
}

Status FileTable::put(int descriptor, Ref<File> file, bool close_on_exec) {
    const auto index = static_cast<unsigned>(descriptor);
    if (descriptor < 0 || index >= limit)
        return base::Failure{Errno::badf};
    CAISSON_TRY(reserve(index + 1));
    File* old = slots_[index].file;
    slots_[index] = {file.leak(), close_on_exec};
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
    drop(*file);
    return base::success;
}

void FileTable::close_range(unsigned first, unsigned last) {
    for (unsigned i = first; i < capacity_ && i <= last; ++i)
        if (slots_[i].file != nullptr)
            (void)close(static_cast<int>(i));
}

void FileTable::mark_range_close_on_exec(unsigned first, unsigned last) {
    for (unsigned i = first; i < capacity_ && i <= last; ++i)
        slots_[i].close_on_exec = slots_[i].file != nullptr;
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
    for (auto i = static_cast<unsigned>(std::max(from, 0)); i < capacity_; ++i)
        if (slots_[i].file != nullptr)
            return static_cast<int>(i);
    return -1;
}

Status FileTable::copy_from(const FileTable& other) {
    CAISSON_TRY(reserve(other.capacity_));
    for (unsigned i = 0; i < other.capacity_; ++i) {
        slots_[i] = other.slots_[i];
        if (slots_[i].file != nullptr)
            retain(*slots_[i].file);
    }
    limit = other.limit;
    return base::success;
}

void FileTable::close_marked() {
    for (unsigned i = 0; i < capacity_; ++i)
        if (slots_[i].file != nullptr && slots_[i].close_on_exec)
            (void)close(static_cast<int>(i));
}

void FileTable::close_all() {
    close_range(0, ~0u);
    mm::free(slots_);
    slots_ = nullptr;
    capacity_ = 0;
}

} // namespace uk::fs
