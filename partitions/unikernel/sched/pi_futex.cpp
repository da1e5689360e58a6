// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/sched/pi_futex.cpp - see pi_futex.hpp.
// Spec: Linux Documentation/locking/pi-futex (the word: owner, FUTEX_WAITERS, FUTEX_OWNER_DIED).
#include "partitions/unikernel/sched/pi_futex.hpp"

#include "partitions/unikernel/machine/stubs.hpp"
#include "partitions/unikernel/sched/wait.hpp"
#include "partitions/unikernel/task/process.hpp"

#include <utility>

namespace uk::sched {

namespace {

constexpr std::uint32_t waiters = 0x80000000, owner_died = 0x40000000, owner_mask = 0x3FFFFFFF;

// On the waiting thread's kernel stack, in the order they came.
struct PiWaiter {
    FutexKey key;
    mm::UserAddress address;
    Thread* thread = nullptr;
    const Thread* owner = nullptr; // of the word, whatever the program makes of it
    PiWaiter* next = nullptr;
    WaitQueue queue;
    Ref<fs::Node> object;
    bool owns = false; // it was handed over
};
PiWaiter* first = nullptr;

std::uint32_t number_of(const Thread& thread) {
    return static_cast<std::uint32_t>(thread.id);
}

PiWaiter* first_of(const FutexKey& key) {
    PiWaiter* waiter = first;
    while (waiter != nullptr && waiter->key != key)
        waiter = waiter->next;
    return waiter;
}

void append(PiWaiter& waiter) {
    PiWaiter** link = &first;
    while (*link != nullptr)
        link = &(*link)->next;
    *link = &waiter;
}

void remove(PiWaiter& waiter) {
    for (PiWaiter** link = &first; *link != nullptr; link = &(*link)->next)
        if (*link == &waiter) {
            *link = waiter.next;
            return;
        }
}

// True: the word was `expected` and is `desired` now.
Result<bool> exchange(mm::UserAddress at, std::uint32_t expected, std::uint32_t desired) {
    std::uint32_t seen = 0;
    if (user_compare_exchange(reinterpret_cast<std::uint32_t*>(at.value()), expected, desired, &seen) != 0)
        return base::Failure{Errno::fault};
    return seen == expected;
}

// Whether `owner` waits, through however many words and owners, for a word of the current thread.
bool is_circle(const Thread* owner) {
    while (owner != nullptr && owner != &current()) {
        const PiWaiter* waiter = first;
        while (waiter != nullptr && waiter->thread != owner)
            waiter = waiter->next;
        owner = waiter != nullptr ? waiter->owner : nullptr;
    }
    return owner != nullptr;
}

// Those in line now wait for `owner`; whether there are any.
bool set_owner(const FutexKey& key, const Thread& owner) {
    bool any = false;
    for (PiWaiter* waiter = first; waiter != nullptr; waiter = waiter->next)
        if (waiter->key == key && waiter->thread != &owner) {
            waiter->owner = &owner;
            any = true;
        }
    return any;
}

Status hand_over(PiWaiter& to, mm::UserAddress at, std::uint32_t mark) {
    const std::uint32_t more = set_owner(to.key, *to.thread) ? waiters : 0;
    for (;;) {
        const auto value = CAISSON_TRY(mm::read_user<std::uint32_t>(at));
        if (CAISSON_TRY(exchange(at, value, number_of(*to.thread) | more | mark)))
            break;
    }
    remove(to);
    to.owns = true;
    to.queue.wake_all();
    return base::success;
}

Status wait_in_line(FutexWord word, const Thread& owner, Deadline deadline) {
    PiWaiter mine;
    mine.key = CAISSON_TRY(key_of(word, &mine.object));
    mine.address = word.address;
    mine.thread = &current();
    mine.owner = &owner;
    append(mine);
    ThreadWaiter waiter;
    mine.queue.add(waiter);
    while (!mine.owns) {
        if (mine.owner == nullptr) { // it ended, and could not hand over
            remove(mine);
            return base::Failure{Errno::again};
        }
        const Status slept = sleep(deadline);
        if (!slept.ok() && !mine.owns) {
            remove(mine);
            return slept;
        }
    }
    return base::success;
}

} // namespace

Status pi_lock(FutexWord word, Contended contended, Deadline deadline) {
    const std::uint32_t self = number_of(current());
    const FutexKey key = CAISSON_TRY(key_of(word, nullptr));
    for (;;) {
        const auto value = CAISSON_TRY(mm::read_user<std::uint32_t>(word.address));
        const std::uint32_t owner = value & owner_mask;
        if (owner == self)
            return base::Failure{Errno::deadlk};
        if (owner == 0) {
            const std::uint32_t more = first_of(key) != nullptr ? waiters : 0;
            if (!CAISSON_TRY(exchange(word.address, value, self | more | (value & owner_died))))
                continue;
            set_owner(key, current());
            return base::success;
        }
        if (contended == Contended::give_up)
            return base::Failure{Errno::again};
        const Thread* thread = find_thread(static_cast<int>(owner));
        if (thread == nullptr)
            return base::Failure{Errno::srch};
        if (is_circle(thread))
            return base::Failure{Errno::deadlk};
        if (!CAISSON_TRY(exchange(word.address, value, value | waiters)))
            continue;
        if (const Status waited = wait_in_line(word, *thread, deadline);
            waited.ok() || waited.error() != Errno::again)
            return waited;
    }
}

Status pi_unlock(FutexWord word) {
    const FutexKey key = CAISSON_TRY(key_of(word, nullptr));
    for (;;) {
        const auto value = CAISSON_TRY(mm::read_user<std::uint32_t>(word.address));
        if ((value & owner_mask) != number_of(current()))
            return base::Failure{Errno::perm};
        if (PiWaiter* next = first_of(key); next != nullptr)
            return hand_over(*next, word.address, 0);
        if (CAISSON_TRY(exchange(word.address, value, 0)))
            return base::success;
    }
}

void pi_owner_ends(const Thread& thread) {
    for (PiWaiter* waiter = first; waiter != nullptr;) {
        if (waiter->owner != &thread) {
            waiter = waiter->next;
            continue;
        }
        const bool here = waiter->thread->process == thread.process;
        if (here && hand_over(*waiter, waiter->address, owner_died).ok()) {
            waiter = first; // those behind it have another owner now
            continue;
        }
        waiter->owner = nullptr; // it looks for itself
        waiter->queue.wake_all();
        waiter = waiter->next;
    }
}

} // namespace uk::sched
