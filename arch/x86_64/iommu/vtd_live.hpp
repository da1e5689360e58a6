// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/vtd_live.hpp - what of a VT-d unit changes while partitions run: which functions reach which memory and which
// CPU, and that nothing older stays cached.
//
// Spec: Intel VT-d 4.1, 6.5.2 "Queued Invalidation Interface", 9.3 "Context Entry", 9.9 "Interrupt Remapping Table Entry (IRTE)
//       for Remapped Interrupts", 5.1.2.2 "Interrupt Requests in Remappable Format".
#pragma once

#include "arch/x86_64/cpu/instructions.hpp"
#include "arch/x86_64/iommu/answer.hpp"
#include "arch/x86_64/iommu/vtd_faults.hpp"

namespace iommu::vtd {

inline constexpr std::uint64_t present = 1, verify_requester = 1u << 18;
inline constexpr std::uint32_t interrupt_entries = 256; // of the one table

// A context entry: requests are translated by the table at `root`, which has that many levels.
struct ContextEntry {
    std::uint64_t low = 0, high = 0;
};
constexpr ContextEntry context_entry(std::uint64_t root, unsigned levels, std::uint16_t domain) {
    return {root | present, std::uint64_t{domain} << 8 | (levels - 2)};
}

// An interrupt entry: a fixed, edge triggered interrupt to one CPU, for one requester.
constexpr std::uint64_t interrupt_low(std::uint8_t vector, std::uint32_t apic_id, bool wide) {
    return present | std::uint64_t{vector} << 16 | std::uint64_t{apic_id} << (wide ? 32 : 40);
}
constexpr std::uint64_t interrupt_high(std::uint16_t requester) {
    return verify_requester | requester;
}
// What a device writes to reach entry `handle` + data.
constexpr std::uint64_t message_address(std::uint32_t handle) {
    constexpr std::uint64_t remappable = 1u << 4, with_data = 1u << 3;
    return 0xfee00000 | (handle & 0x7fff) << 5 | (handle >> 15 & 1) << 2 | remappable | with_data;
}

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

    // Everything cached of the tables' former contents is dropped: one batch, its end awaited, between() called meanwhile. False:
    // the unit does not answer. One CPU at a time.
    template <typename Between>
    [[nodiscard]] bool invalidate(const Frames& frames, bool interrupts, Between between) const {
        constexpr std::uint64_t context = 1u | 1u << 4, translations = 2u | 1u << 4 | 3u << 6, entries = 4,
                                wait = 5u | 1u << 5, done = 0xd0;
        volatile std::uint64_t& answer = frames.log[0];
        answer = 0;
        const std::uint64_t end = wait | done << 32;
        std::uint64_t tail = registers_.read64(queue_tail_offset) / 8 % words_a_frame;
        for (const std::uint64_t descriptor : {context, translations, interrupts ? entries : context, end}) {
            frames.queue[tail] = descriptor;
            frames.queue[tail + 1] = descriptor == end ? physical(answer) : 0;
            cpu::FlushLine{}(const_cast<const std::uint64_t*>(&frames.queue[tail]));
            tail = (tail + 2) % words_a_frame;
        }
        registers_.write64(queue_tail_offset, tail * 8);
        return wait_until([&answer] { return answer == done; }, between);
    }

protected:
    using Faults<Registers>::registers_;
    static constexpr std::uint32_t queue_tail_offset = 0x88;
};

} // namespace iommu::vtd
