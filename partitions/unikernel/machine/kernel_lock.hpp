// SPDX-License-Identifier: Apache-2.0
// partitions/unikernel/machine/kernel_lock.hpp - the one lock of the kernel: whoever holds it has all of the kernel's data.
//
// Taken at every way in, dropped at every way out, by the idle thread and at preemption points; a switch hands it on. So
// what lies between two waits is exclusive on any number of CPUs. Tickets: first come, first served.
// Invariants: I1  interrupts are off while it is held
//             I2  an interrupt that comes in the kernel finds it dropped; its handler takes no lock
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"

#include <cstdint>

namespace uk::machine {

class TicketLock {
public:
    constexpr TicketLock() = default;
    TicketLock(const TicketLock&) = delete;
    TicketLock& operator=(const TicketLock&) = delete;

    void take() {
        const std::uint32_t ticket = __atomic_fetch_add(&next_, 1, __ATOMIC_ACQUIRE);
        while (__atomic_load_n(&serving_, __ATOMIC_ACQUIRE) != ticket)
            cpu::pause();
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

// From a program into the kernel, and back. Interrupts are off.
inline void enter_kernel() {
    this_cpu().mode = Mode::kernel;
    kernel_lock.take();
}
inline void leave_kernel() {
    kernel_lock.drop();
    // A full fence: what others wrote before they looked at the mode is seen from here on.
    Mode user = Mode::user;
    __atomic_store(&this_cpu().mode, &user, __ATOMIC_SEQ_CST);
}

// The kernel stands still: interrupts are taken, other CPUs have their turn. Nothing may be half done.
template <typename Wait> void let_others_in(Mode meanwhile, Wait wait) {
    this_cpu().mode = meanwhile;
    kernel_lock.drop();
    wait();
    this_cpu().mode = Mode::kernel;
    kernel_lock.take();
}

} // namespace uk::machine
