// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/log.cpp
#include "hypervisor/core/audit/log.hpp"

#include <algorithm>

namespace audit {
namespace {

// Each with its NUL.
constexpr char record_domain[] = "caisson audit v1", next_domain[] = "caisson audit next";

// What commit() adds: " hash=" and 64 digits, " mac=" and 32.
constexpr std::size_t tail_room = 6 + 64 + 5 + 32;

} // namespace

Hash chained(const Hash& previous, std::string_view text) {
    crypto::PortableSha256 hash; // a guest's vector registers are live
    hash.update(std::as_bytes(std::span{record_domain}));
    hash.update(std::as_bytes(std::span{previous}));
    hash.update(std::as_bytes(std::span{text}));
    return hash.finish();
}

Mac mac_of(const Key& key, const Hash& hash) {
    Mac mac{};
    crypto::blake2b(mac, std::as_bytes(std::span{hash}), std::as_bytes(std::span{key}));
    return mac;
}

void ratchet(Key& key) {
    crypto::blake2b(key, std::as_bytes(std::span{next_domain}), std::as_bytes(std::span{key}));
}

void Log::begin(const Key* first_key) {
    begun_ = true;
    anchored_ = first_key != nullptr;
    if (anchored_)
        key_ = *first_key;
}

Record* Log::open(std::string_view event, std::uint64_t time, Account account) {
    const std::uint64_t head = head_.load(std::memory_order_relaxed);
    if (!begun_)
        return nullptr;
    const std::size_t most = account == Account::guest ? slots_for_guests : slots;
    if (head - tail_.load(std::memory_order_acquire) >= most) {
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
