// SPDX-License-Identifier: Apache-2.0
// hypervisor/kernel/console/ticket_lock.hpp - a lock served in order, which can also be tried.
#pragma once

#include "arch/x86_64/virt/virt.hpp"

#include <atomic>
#include <cstdint>

namespace hv {

class TicketLock {
public:
    void lock() {
        const std::uint32_t mine = next_.fetch_add(1, std::memory_order_relaxed);
        while (serving_.load(std::memory_order_acquire) != mine)
            virt::pause();
    }
    [[nodiscard]] bool try_lock() {
        std::uint32_t now = serving_.load(std::memory_order_acquire);
        return next_.compare_exchange_strong(now, now + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed);
    }
    void unlock() { serving_.store(serving_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    std::atomic<std::uint32_t> next_ = 0, serving_ = 0;
};

class Locked {
public:
    explicit Locked(TicketLock& lock) : lock_(lock) { lock_.lock(); }
    ~Locked() { lock_.unlock(); }
    Locked(const Locked&) = delete;

private:
    TicketLock& lock_;
};

} // namespace hv
