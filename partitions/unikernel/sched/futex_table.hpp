// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/futex_table.hpp - who waits on which word of user memory.
//
// Pure. Waiters of one word are woken in the order they came. A waiter is on one list or on none.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace uk::sched {

inline constexpr std::uint32_t match_any = 0xFFFFFFFF; // FUTEX_BITSET_MATCH_ANY

// A word of shared memory is told by the object and the place in it, others by their address space and
// address.
struct FutexKey {
    const void* object = nullptr;
    std::uint64_t offset = 0;
    [[nodiscard]] bool operator==(const FutexKey&) const = default;
};

struct FutexWaiter {
    FutexKey key;
    std::uint32_t bits = match_any;
    FutexWaiter* next = nullptr;
    FutexWaiter* previous = nullptr;
    bool queued = false;
    void (*wake)(FutexWaiter& waiter) = nullptr; // after it has left the list
};

class FutexTable {
public:
    void add(FutexWaiter& waiter);
    void remove(FutexWaiter& waiter); // nothing where it is on no list
    // Wakes up to `count` waiters of `key` whose bits meet `bits`; gives how many.
    unsigned wake(FutexKey key, unsigned count, std::uint32_t bits);
    // Moves up to `count` waiters from one word to another, behind those that wait there; gives how many.
    unsigned requeue(FutexKey from, FutexKey to, unsigned count);

private:
    static constexpr std::size_t bucket_count = 64;
    struct Bucket {
        FutexWaiter* first = nullptr;
        FutexWaiter* last = nullptr;
    };
    [[nodiscard]] Bucket& bucket_of(FutexKey key);

    std::array<Bucket, bucket_count> buckets_{};
};

} // namespace uk::sched
