// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/futex_table.cpp - see futex_table.hpp.
#include "partitions/unikernel/sched/futex_table.hpp"

#include <bit>

namespace uk::sched {

FutexTable::Bucket& FutexTable::bucket_of(FutexKey key) {
    // Multiplicative hashing; words are 4-byte aligned, so the low bits say little.
    return buckets_[((key.offset >> 2) + std::bit_cast<std::uint64_t>(key.object)) * 0x9E3779B97F4A7C15 >>
                    58];
}

void FutexTable::add(FutexWaiter& waiter) {
    Bucket& bucket = bucket_of(waiter.key);
    waiter.next = nullptr;
    waiter.previous = bucket.last;
    if (bucket.last != nullptr)
        bucket.last->next = &waiter;
    else
        bucket.first = &waiter;
    bucket.last = &waiter;
    waiter.queued = true;
}

void FutexTable::remove(FutexWaiter& waiter) {
    if (!waiter.queued)
        return;
    Bucket& bucket = bucket_of(waiter.key);
    (waiter.previous != nullptr ? waiter.previous->next : bucket.first) = waiter.next;
    (waiter.next != nullptr ? waiter.next->previous : bucket.last) = waiter.previous;
    waiter.queued = false;
}

unsigned FutexTable::wake(FutexKey key, unsigned count, std::uint32_t bits) {
    unsigned woken = 0;
    FutexWaiter* next = nullptr;
    for (FutexWaiter* waiter = bucket_of(key).first; waiter != nullptr && woken < count; waiter = next) {
        next = waiter->next;
        if (waiter->key != key || (waiter->bits & bits) == 0)
            continue;
        remove(*waiter);
        ++woken;
        waiter->wake(*waiter);
    }
    return woken;
}

unsigned FutexTable::requeue(FutexKey from, FutexKey to, unsigned count) {
    unsigned moved = 0;
    FutexWaiter* next = nullptr;
    for (FutexWaiter* waiter = bucket_of(from).first; waiter != nullptr && moved < count; waiter = next) {
        next = waiter->next;
        if (waiter->key != from)
            continue;
        ++moved;
        if (from == to)
            continue;
        remove(*waiter);
        waiter->key = to;
        add(*waiter);
    }
    return moved;
}

} // namespace uk::sched
