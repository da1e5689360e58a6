// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/log.hpp - the audit log: records chained as they are appended, kept until they are sent.
//
// Pure but for two atomic positions. Appending never waits: when every slot holds an unsent record the new one is
// dropped and counted, and the next that fits says how many were lost so far, inside the chain.
// Invariants: I1  an appended record is never changed   I2  records are sent once and in order of their sequence
//             I3  after commit() no key that made an earlier MAC exists
#pragma once

#include "hypervisor/core/audit/chain.hpp"
#include "hypervisor/core/audit/record.hpp"

#include <atomic>

namespace audit {

class Log {
public:
    static constexpr std::size_t slots = 64;

    // From here on there is a log; without a key it is chained but not MACed.
    void begin(const Key* first_key);
    [[nodiscard]] bool begun() const { return begun_; }

    // Producers, one at a time: the slot of the next record with event, seq and time in it, or null (dropped, or not
    // begun); then commit() what was opened.
    [[nodiscard]] Record* open(std::string_view event, std::uint64_t time);
    void commit();

    // Consumers, one at a time.
    [[nodiscard]] const Record* oldest() const;
    void sent() { tail_.store(tail_.load(std::memory_order_relaxed) + 1, std::memory_order_release); }

private:
    std::array<Record, slots> ring_{};
    std::atomic<std::uint64_t> head_ = 0, tail_ = 0; // head: also the next sequence number
    std::uint64_t lost_ = 0, lost_said_ = 0;
    Hash hash_{};
    Key key_{};
    bool begun_ = false, anchored_ = false;
};

} // namespace audit
