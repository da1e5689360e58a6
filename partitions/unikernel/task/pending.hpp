// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/task/pending.hpp - the signals that wait for a thread or a process, in order.
//
// A standard signal waits once, a real-time signal as often as it was sent. A timer enters a node of its own, so its signal
// costs no memory and is never lost.
// Invariants: I1  a number's bit is set exactly when it waits
//             I2  every node from the heap is counted in its account
// Spec: POSIX.1-2017 2.4.1, 2.4.2 "Realtime Signal Generation and Delivery".
#pragma once

#include "partitions/unikernel/base/errno.hpp"
#include "partitions/unikernel/task/signal_state.hpp"

namespace uk::signal {

// A signal that waits, with its information.
struct Waiting {
    Information information;
    Waiting* next = nullptr;
    bool queued = false;
    // A timer's node: told when it is taken, which is when a period goes on. nullptr: the node is the heap's.
    void (*taken)(Waiting& self) = nullptr;
};

// How many nodes a process has in its queues (RLIMIT_SIGPENDING).
struct Account {
    std::uint64_t queued = 0;
    std::uint64_t limit = ~std::uint64_t{0};
};

class Pending {
public:
    Pending() = default;
    Pending(const Pending&) = delete;
    Pending& operator=(const Pending&) = delete;

    [[nodiscard]] Set set() const { return set_; }

    // Enters a signal. Over the limit or without memory a standard signal, and any that kill() sent, still waits, without its
    // information; a real-time signal that carries a value is refused with EAGAIN.
    Status enter(const Information& information, Account& account);
    // Enters a timer's own node. False: it waits already.
    bool enter(Waiting& own);
    // Takes the signal of `wanted` that comes first: faults, then the lowest number, each number in the order sent. Number 0: none.
    [[nodiscard]] Information take(Set wanted, Account& account);
    // Everything of `which` goes.
    void flush(Set which, Account& account);
    // A timer's node goes, wherever it waits.
    void remove(Waiting& own);

private:
    void append(Waiting& node);
    void settle(int number); // the bit, after a node of that number went

    Set set_ = 0;
    Waiting* first_ = nullptr;
};

} // namespace uk::signal
