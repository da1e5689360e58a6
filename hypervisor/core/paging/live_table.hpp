// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/paging/live_table.hpp - a second-stage table that guests run on, and what CPUs may have cached of it.
//
// Pure. The one way to change such a table and the one way into a guest meet here: entering takes a Flushed, only a
// CachedTable makes one, and it flushes first whenever the table has changed since it last did. A CPU that is in the guest
// meanwhile is told to leave (`kick`) after the change is counted, so it comes by here before it enters again. No emulator
// shows a stale translation: this is checked by types and by live_table_test.cpp over every interleaving.
// Spec: AMD APM vol. 2 15.16 "TLB Control"; Intel SDM vol. 3 "Invalidating Cached Translation Information".
#pragma once

#include "hypervisor/base/address.hpp"

#include <atomic>
#include <cstdint>

namespace paging {

class LiveTable {
public:
    void adopt(base::PhysAddr root) { root_ = root; } // before any CPU has it
    [[nodiscard]] base::PhysAddr root() const { return root_; }
    [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_seq_cst); }

    // make(root) stores entries, kick() makes every CPU that runs on the table leave its guest and waits until it has.
    template <typename Make, typename Kick> void change(Make make, Kick kick) {
        make(root_);
        version_.fetch_add(1, std::memory_order_seq_cst);
        kick();
    }

private:
    base::PhysAddr root_;
    std::atomic<std::uint64_t> version_ = 1;
};

// The word of one CPU that it has nothing older of a table. Good for the entry that it is made for.
class Flushed {
    friend class CachedTable;
    Flushed() = default;
    Flushed(const Flushed&) = delete;
};

// Of one table, on one CPU.
class CachedTable {
public:
    template <typename Flush> [[nodiscard]] Flushed up_to_date(const LiveTable& table, Flush flush) {
        if (const std::uint64_t now = table.version(); seen_ != now) {
            flush();
            seen_ = now;
        }
        return {};
    }
    // What is cached belongs to a former life (rule 23, step 8).
    void forget() { seen_ = 0; }

private:
    std::uint64_t seen_ = 0;
};

} // namespace paging
