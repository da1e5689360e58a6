// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/kernel_lock.hpp - the one lock of the kernel: whoever holds it has all of the kernel's data.
//
// Taken at every way in, dropped at every way out, by the idle thread and at preemption points (mm/flush.hpp); a switch hands it on. So
// what lies between two waits is exclusive on any number of CPUs. Tickets: first come, first served. Without it are answered only the
// system calls that read a word (syscalls/quick.hpp).
// Invariants: I1  interrupts are off while it is held
//             I2  an interrupt that comes in the kernel finds it dropped; its handler takes no lock
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"

#include <cstdint>

namespace uk::machine {

class TicketLock {
public:
    constexpr TicketLock() = default;
    TicketLock(const TicketLock&) = delete;
    TicketLock& operator=(const TicketLock&) = delete;

    void take() {
        wait(draw(), [] {});
    }
    // In two steps: a ticket, and its turn. `meanwhile` is called again and again until then.
    [[nodiscard]] std::uint32_t draw() { return __atomic_fetch_add(&next_, 1, __ATOMIC_ACQUIRE); }
    [[nodiscard]] bool serves(std::uint32_t ticket) const {
        return __atomic_load_n(&serving_, __ATOMIC_ACQUIRE) == ticket;
    }
    template <typename Meanwhile> void wait(std::uint32_t ticket, Meanwhile meanwhile) const {
        while (!serves(ticket)) {
            cpu::pause();
            meanwhile();
        }
    }
    void drop() { // the holder alone writes `serving_`
        __atomic_store_n(&serving_, serving_ + 1, __ATOMIC_RELEASE);
    }
    [[nodiscard]] bool is_held() const {
        return __atomic_load_n(&next_, __ATOMIC_RELAXED) != __atomic_load_n(&serving_, __ATOMIC_RELAXED);
    }

private:
    std::uint32_t next_ = 0, serving_ = 0;
};

inline TicketLock kernel_lock; // held before the first thread runs

} // namespace uk::machine
