// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/vtd_live.hpp - what of a VT-d unit changes while partitions run: which functions reach which memory and which
// CPU, and that nothing older stays cached.
//
// Spec: Intel VT-d 4.1, 6.5.2 "Queued Invalidation Interface".
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/iommu/vtd_faults.hpp"

namespace iommu::vtd {

// Two words of a table that units read: never half present, in memory afterwards.
inline void set_entry(volatile std::uint64_t* entry, std::uint64_t low, std::uint64_t high) {
    entry[0] = 0;
    entry[1] = high;
    entry[0] = low;
    cpu::FlushLine{}(const_cast<const std::uint64_t*>(entry));
}
inline void clear_entry(volatile std::uint64_t* entry) {
    entry[0] = 0;
    cpu::FlushLine{}(const_cast<const std::uint64_t*>(entry));
}

template <typename Registers> class Live : public Faults<Registers> {
public:
    explicit Live(Registers registers) : Faults<Registers>(registers) {}

    // Everything cached of the tables' former contents is to be dropped: one batch. One CPU at a time, which waits for the answer.
    void forget(const Frames& frames, bool interrupts) const {
        constexpr std::uint64_t context = 1u | 1u << 4, translations = 2u | 1u << 4 | 3u << 6, entries = 4,
                                wait = 5u | 1u << 5;
        frames.log[0] = 0;
        const std::uint64_t end = wait | done << 32;
        std::uint64_t tail = registers_.read64(queue_tail_offset) / 8 % words_a_frame;
        for (const std::uint64_t descriptor : {context, translations, interrupts ? entries : context, end}) {
            frames.queue[tail] = descriptor;
            frames.queue[tail + 1] = descriptor == end ? physical(frames.log[0]) : 0;
            cpu::FlushLine{}(const_cast<const std::uint64_t*>(&frames.queue[tail]));
            tail = (tail + 2) % words_a_frame;
        }
        registers_.write64(queue_tail_offset, tail * 8);
    }
    [[nodiscard]] static bool has_forgotten(const Frames& frames) { return frames.log[0] == done; }

protected:
    using Faults<Registers>::registers_;
    static constexpr std::uint32_t queue_tail_offset = 0x88;
    static constexpr std::uint64_t done = 0xd0;
};

} // namespace iommu::vtd
