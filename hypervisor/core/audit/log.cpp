// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/log.cpp
#include "hypervisor/core/audit/log.hpp"

namespace audit {
namespace {

// What commit() adds: " hash=" and 64 digits, " mac=" and 32.
constexpr std::size_t tail_room = 6 + 64 + 5 + 32;

} // namespace

void Log::begin(const Key* first_key) {
    begun_ = true;
    anchored_ = first_key != nullptr;
    if (anchored_)
        key_ = *first_key;
}

Record* Log::open(std::string_view event, std::uint64_t time) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (!begun_)
        return nullptr;
    if (head - tail_.load(std::memory_order_acquire) == slots) {
        ++lost_;
        return nullptr;
    }
    Record& record = ring_[head % slots];
    record.clear();
    record.add("event", event).add("seq", head).add("time", time);
    if (lost_ != lost_said_)
        record.add("overflow", lost_said_ = lost_);
    return &record;
}

void Log::commit() {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    Record& record = ring_[head % slots];
    record.shorten(CAISSON_FRAME_MAX - tail_room);
    hash_ = chained(hash_, record.view());
    record.add_bytes("hash", hash_);
    if (anchored_) {
        record.add_bytes("mac", mac_of(key_, hash_));
        ratchet(key_);
    }
    head_.store(head + 1, std::memory_order_release);
}

const Record* Log::oldest() const {
    const std::uint64_t tail = tail_.load(std::memory_order_relaxed);
    return tail == head_.load(std::memory_order_acquire) ? nullptr : &ring_[tail % slots];
}

} // namespace audit
