// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/fs/files/locks.cpp - range locks are a short list; one owner's locks never overlap each
// other.
#include "partitions/unikernel/fs/files/locks.hpp"

#include "partitions/unikernel/fs/files/file.hpp"
#include "partitions/unikernel/mm/heap.hpp"

namespace uk::fs {

namespace {

bool overlaps(const RangeLock& lock, std::uint64_t first, std::uint64_t last) {
    return lock.first <= last && first <= lock.last;
}

} // namespace

LockSet::~LockSet() {
    while (ranges != nullptr) {
        RangeLock* lock = ranges;
        ranges = lock->next;
        mm::destroy(lock);
    }
}

Result<LockSet*> locks_of(Node& node) {
    if (node.locks == nullptr)
        node.locks = mm::make<LockSet>();
    if (node.locks == nullptr)
        return base::Failure{Errno::nolck};
    return node.locks;
}

const RangeLock* conflict(const Node& node, const RangeLock& wanted) {
    if (node.locks == nullptr)
        return nullptr;
    const RangeLock* lowest = nullptr;
    for (const RangeLock* lock = node.locks->ranges; lock != nullptr; lock = lock->next)
        if (lock->owner != wanted.owner && overlaps(*lock, wanted.first, wanted.last) &&
            (lock->exclusive || wanted.exclusive) && (lowest == nullptr || lock->first < lowest->first))
            lowest = lock;
    return lowest;
}

Status unlock_range(Node& node, std::uint64_t first, std::uint64_t last, const FileTable& owner) {
    if (node.locks == nullptr)
        return base::success;
    for (RangeLock** link = &node.locks->ranges; *link != nullptr;) {
        RangeLock& lock = **link;
        if (lock.owner != &owner || !overlaps(lock, first, last)) {
            link = &lock.next;
            continue;
        }
        const bool before = lock.first < first;
        const bool behind = lock.last > last;
        if (before && behind) { // in two; nothing else of this owner overlaps then
            RangeLock* rest = mm::make<RangeLock>(lock);
            if (rest == nullptr)
                return base::Failure{Errno::nolck};
            rest->first = last + 1;
            lock.last = first - 1;
            lock.next = rest;
            break;
        }
        if (before) {
            lock.last = first - 1;
            link = &lock.next;
        } else if (behind) {
            lock.first = last + 1;
            link = &lock.next;
        } else {
            *link = lock.next;
            mm::destroy(&lock);
        }
    }
    node.locks->changed.wake_all();
    return base::success;
}

Status lock_range(Node& node, const RangeLock& wanted) {
    LockSet& set = *CAISSON_TRY(locks_of(node));
    if (conflict(node, wanted) != nullptr)
        return base::Failure{Errno::again};
    RangeLock* made = mm::make<RangeLock>(wanted);
    if (made == nullptr)
        return base::Failure{Errno::nolck};
    const Status cleared = unlock_range(node, wanted.first, wanted.last, *wanted.owner);
    if (!cleared.ok()) {
        mm::destroy(made);
        return cleared;
    }
    // Neighbours of the same kind become one, so that a long run of small locks stays one record.
    for (RangeLock** link = &set.ranges; *link != nullptr;) {
        RangeLock& lock = **link;
        const bool touches = (made->first != 0 && lock.last == made->first - 1) ||
                             (lock.first != 0 && made->last == lock.first - 1);
        if (lock.owner == made->owner && lock.exclusive == made->exclusive && touches) {
            made->first = lock.first < made->first ? lock.first : made->first;
            made->last = lock.last > made->last ? lock.last : made->last;
            *link = lock.next;
            mm::destroy(&lock);
        } else {
            link = &lock.next;
        }
    }
    made->next = set.ranges;
    set.ranges = made;
    return base::success;
}

void unlock_all(Node& node, const FileTable& owner) {
    // A whole range never splits a lock, so this cannot fail.
    (void)unlock_range(node, 0, ~std::uint64_t{0}, owner);
}

namespace {

RangeLockWait* first_wait = nullptr;

} // namespace

RangeLockWait::RangeLockWait(const FileTable& who, const FileTable& holder)
    : who_(&who), holder_(&holder), next_(first_wait) {
    first_wait = this;
}

RangeLockWait::~RangeLockWait() {
    RangeLockWait** link = &first_wait;
    while (*link != this)
        link = &(*link)->next_;
    *link = next_;
}

bool RangeLockWait::closes_circle(const FileTable& who, const FileTable& holder) {
    constexpr unsigned most_steps = 64; // a longer chain counts as none
    const FileTable* at = &holder;
    for (unsigned step = 0; step < most_steps; ++step) {
        if (at == &who)
            return true;
        const RangeLockWait* wait = first_wait;
        while (wait != nullptr && wait->who_ != at)
            wait = wait->next_;
        if (wait == nullptr)
            return false;
        at = wait->holder_;
    }
    return false;
}

Status lock_file(File& file, std::uint8_t lock) {
    LockSet& set = *CAISSON_TRY(locks_of(*file.node));
    if (file.lock == lock)
        return base::success;
    if (file.lock == 1)
        --set.shared_flocks;
    else if (file.lock == 2)
        set.exclusive_flock = false;
    if (file.lock != 0)
        set.changed.wake_all();
    file.lock = 0;
    if (lock == 0)
        return base::success;
    if (set.exclusive_flock || (lock == 2 && set.shared_flocks > 0))
        return base::Failure{Errno::again};
    if (lock == 1)
        ++set.shared_flocks;
    else
        set.exclusive_flock = true;
    file.lock = lock;
    return base::success;
}

} // namespace uk::fs
