// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/ring.hpp - a partition's console bytes on their way to the UART: one producer, one
// consumer.
//
// Pure except for atomic positions. The ring holds records: two bytes with stream and length, then the bytes. What is pushed
// grows the last record until it is offered; only then does the consumer see it. The producer never waits: what does not
// fit is dropped and counted. The producer is the partition (its vCPUs serialized by the caller), the consumer whoever
// holds the line.
// Invariants: I1  the consumer sees each byte once, in order, with its stream   I2  no record is seen in part
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace audit {

enum class Stream : std::uint8_t { output, errors }; // 1 and 2 of the ABI

template <std::size_t Capacity> class ConsoleRing {
    static_assert(Capacity > 2 && Capacity <= 0x8000 && (Capacity & (Capacity - 1)) == 0, "a power of two");

public:
    // Producer. Takes what fits and returns how much; the rest is the caller's to retry or to drop().
    std::size_t push(Stream stream, std::span<const char> bytes) {
        const std::size_t head = length_ != 0 && stream == stream_ ? 0 : head_bytes;
        if (bytes.empty() || room() <= head)
            return 0;
        if (head != 0) {
            record_ = written_;
            written_ += head_bytes;
            length_ = 0;
            stream_ = stream;
        }
        const std::size_t count = std::min(bytes.size(), room());
        for (std::size_t i = 0; i < count; ++i)
            at(written_ + i) = bytes[i];
        written_ += count;
        length_ += count;
        at(record_) = static_cast<char>(length_);
        at(record_ + 1) =
            static_cast<char>(length_ >> 8 | static_cast<std::size_t>(stream == Stream::errors) << 7);
        return count;
    }
    // Producer. Bytes that wait to be offered.
    [[nodiscard]] std::size_t held() const {
        return static_cast<std::size_t>(written_ - head_.load(relaxed));
    }
    void offer() {
        length_ = 0;
        head_.store(written_, std::memory_order_release);
    }
    void drop(std::uint64_t count) { dropped_.fetch_add(count, relaxed); }
    [[nodiscard]] std::uint64_t dropped() const { return dropped_.load(relaxed); }

    // Consumer. The next bytes of one stream, out of at most `records` records; returns how many.
    std::size_t take(Stream& stream, std::span<char> out, unsigned records) {
        std::uint64_t tail = tail_.load(relaxed);
        const std::uint64_t head = head_.load(std::memory_order_acquire);
        std::size_t filled = 0;
        for (;; --records) {
            const std::size_t count = std::min(left_, out.size() - filled);
            copy(tail, out.subspan(filled, count));
            tail += count;
            filled += count;
            left_ -= count;
            if (left_ != 0 || tail == head || records == 0)
                break;
            const auto high = static_cast<std::uint8_t>(at(tail + 1));
            const Stream next = high >> 7 != 0 ? Stream::errors : Stream::output;
            if (filled == out.size() || (filled != 0 && next != taken_))
                break;
            taken_ = next;
            left_ = static_cast<std::size_t>(high & 0x7F) << 8 | static_cast<std::uint8_t>(at(tail));
            tail += head_bytes;
        }
        stream = taken_;
        tail_.store(tail, std::memory_order_release);
        return filled;
    }
    // What is offered is lost, and counted.
    void discard() {
        const std::uint64_t head = head_.load(std::memory_order_acquire);
        drop(head - tail_.exchange(head, std::memory_order_acq_rel));
        left_ = 0;
    }
    // Nothing is offered.
    [[nodiscard]] bool empty() const {
        return head_.load(std::memory_order_acquire) == tail_.load(std::memory_order_acquire);
    }

private:
    static constexpr std::size_t head_bytes = 2;
    static constexpr auto relaxed = std::memory_order_relaxed;

    [[nodiscard]] std::size_t room() const {
        return Capacity - static_cast<std::size_t>(written_ - tail_.load(std::memory_order_acquire));
    }
    // In at most two pieces, since who sends may do so in an exit of another's.
    void copy(std::uint64_t position, std::span<char> to) const {
        const std::size_t start = position & (Capacity - 1), first = std::min(to.size(), Capacity - start);
        std::memcpy(to.data(), bytes_.data() + start, first);
        std::memcpy(to.data() + first, bytes_.data(), to.size() - first);
    }
    [[nodiscard]] char& at(std::uint64_t position) { return bytes_[position & (Capacity - 1)]; }

    std::uint64_t written_ = 0, record_ = 0; // the producer's
    std::size_t length_ = 0;                 // of the record that still grows
    Stream stream_ = Stream::output;
    std::size_t left_ = 0; // the consumer's: of the record that it is in
    Stream taken_ = Stream::output;
    std::atomic<std::uint64_t> head_ = 0, tail_ = 0, dropped_ = 0;
    std::array<char, Capacity> bytes_{};
};

} // namespace audit
