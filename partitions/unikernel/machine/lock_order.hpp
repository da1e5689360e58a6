// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/lock_order.hpp - which locks a CPU may take while it holds others, and who looks in test builds.
//
// The order, also in README.md of the unikernel: a CPU takes a lock only while all that it holds stand before it. Whoever adds a lock
// gives it a place here. Built with CAISSON_CHECK_LOCKS (unikernel-checked.elf, never installed) every lock is told here when it is asked
// for and when it is dropped; in the product there is nothing of it.
#pragma once

#include "hypervisor/base/text.hpp"

#include <array>
#include <cstddef>

namespace uk::machine {

struct LockClass {
    const char* name;
    unsigned place; // in the order, from 1 on
};
inline constexpr LockClass kernel_lock_class{"kernel", 1};

// What one CPU holds. Interrupts are off while it holds anything, so this is its own.
class HeldLocks {
public:
    using Complaint = base::Text<128>; // empty: all is well

    // Told before the lock is waited for: whoever waits in the wrong order waits for ever.
    [[nodiscard]] Complaint asks(const void* lock, const LockClass& of) {
        Complaint complaint;
        for (std::size_t i = 0; i < count_; ++i) {
            if (held_[i].lock == lock)
                complaint << "lock '" << of.name << "' is taken twice by one CPU";
            else if (held_[i].of->place >= of.place)
                complaint << "lock '" << of.name << "' is asked for while '" << held_[i].of->name
                          << "' is held";
            if (!complaint.view().empty())
                return complaint;
        }
        if (count_ == held_.size())
            complaint << "lock '" << of.name << "' is one too many for a CPU";
        else
            held_[count_++] = {lock, &of};
        return complaint;
    }
    // Locks may be dropped in any order, by the CPU that took them.
    [[nodiscard]] Complaint drops(const void* lock, const LockClass& of) {
        Complaint complaint;
        for (std::size_t i = count_; i-- > 0;) {
            if (held_[i].lock != lock)
                continue;
            for (--count_; i < count_; ++i)
                held_[i] = held_[i + 1];
            return complaint;
        }
        complaint << "lock '" << of.name << "' is dropped by a CPU that has not taken it";
        return complaint;
    }

private:
    struct Held {
        const void* lock;
        const LockClass* of;
    };
    std::array<Held, 4> held_{};
    std::size_t count_ = 0;
};

} // namespace uk::machine
