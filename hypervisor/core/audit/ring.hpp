// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/ring.hpp - a partition's console bytes on their way to the UART: one producer, one
// consumer.
//
// Pure but for two atomic positions. The producer never waits: what does not fit is dropped and counted. The
// producer is the partition (its vCPUs serialized by the caller), the consumer whoever holds the UART.
// Invariants: I1  the consumer sees each byte once and in order   I2  head - tail never exceeds the capacity
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

namespace audit {

template <std::size_t Capacity> class ConsoleRing {
    static_assert(Capacity > 0 && (Capacity & (Capacity - 1)) == 0, "a power of two");

public:
    // Producer. Takes what fits and returns how much; the rest is the caller's to retry or to drop().
    std::size_t push(std::span<const char> bytes) {
        const std::uint64_t head = head_.load(std::memory_order_relaxed);
        const std::size_t count = std::min(bytes.size(), room());
        for (std::size_t i = 0; i < count; ++i)
            bytes_[(head + i) & (Capacity - 1)] = bytes[i];
        head_.store(head + count, std::memory_order_release);
        return count;
    }
    // Producer. Room for this many bytes right now.
    [[nodiscard]] std::size_t room() const {
        return Capacity - static_cast<std::size_t>(head_.load(std::memory_order_relaxed) -
                                                   tail_.load(std::memory_order_acquire));
    }
    void drop(std::uint64_t count) { dropped_.fetch_add(count, std::memory_order_relaxed); }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

    // Consumer. The longest run of bytes that lies in one piece, then how many of them were used.
    [[nodiscard]] std::span<const char> peek() const {
        const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
        const std::uint64_t ready = head_.load(std::memory_order_acquire) - tail;
        const std::size_t at = tail & (Capacity - 1), run = Capacity - at;
        return {bytes_.data() + at, std::min<std::size_t>(ready, run)};
    }
    void consume(std::size_t count) {
        tail_.store(tail_.load(std::memory_order_relaxed) + count, std::memory_order_release);
    }
    [[nodiscard]] bool empty() const { return peek().empty(); }

private:
    std::atomic<std::uint64_t> head_ = 0, tail_ = 0, dropped_ = 0;
    std::array<char, Capacity> bytes_{};
};

} // namespace audit
