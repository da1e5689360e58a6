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
#include "partitions/unikernel/machine/lock_order.hpp"

#ifdef CAISSON_CHECK_LOCKS
#include "hypervisor/base/fail.hpp"
#include "partitions/unikernel/machine/this_cpu.hpp"

#include <array>
#include <string_view>
#endif

#include <cstdint>

namespace uk::machine {

#ifdef CAISSON_CHECK_LOCKS

inline std::array<HeldLocks, most_cpus> held_locks{}; // by the CPU's number

// Ends the partition, or the test, with what is wrong.
inline void expects_order(const HeldLocks::Complaint& complaint) {
    if (complaint.view().empty())
        return;
    std::array<char, 129> words{};
    for (std::size_t i = 0; i < complaint.view().size(); ++i)
        words[i] = complaint.view()[i];
    base::fail(words.data(), "", 0);
}

class LockWatch {
public:
    constexpr explicit LockWatch(const LockClass& of) : of_(of) {}
    void asks(const void* lock) { expects_order(held_locks[this_cpu().number].asks(lock, of_)); }
    void drops(const void* lock) { expects_order(held_locks[this_cpu().number].drops(lock, of_)); }

private:
    const LockClass& of_;
};

#else

class LockWatch {
public:
    constexpr explicit LockWatch(const LockClass&) {}
    void asks(const void*) {}
    void drops(const void*) {}
};

#endif

class TicketLock {
public:
    constexpr explicit TicketLock(const LockClass& of) : watch_(of) {}
    TicketLock(const TicketLock&) = delete;
    TicketLock& operator=(const TicketLock&) = delete;

    void take() {
        wait(draw(), [] {});
    }
    // In two steps: a ticket, and its turn. `meanwhile` is called again and again until then.
    [[nodiscard]] std::uint32_t draw() {
        watch_.asks(this);
        return __atomic_fetch_add(&next_, 1, __ATOMIC_ACQUIRE);
    }
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
        watch_.drops(this);
        __atomic_store_n(&serving_, serving_ + 1, __ATOMIC_RELEASE);
    }
    [[nodiscard]] bool is_held() const {
        return __atomic_load_n(&next_, __ATOMIC_RELAXED) != __atomic_load_n(&serving_, __ATOMIC_RELAXED);
    }

private:
    std::uint32_t next_ = 0, serving_ = 0;
    [[no_unique_address]] LockWatch watch_;
};

inline constinit TicketLock kernel_lock{kernel_lock_class}; // held before the first thread runs

} // namespace uk::machine
