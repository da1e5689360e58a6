// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/vtd.hpp - one VT-d remapping unit, set so that no device reaches memory and no device interrupts.
//
// Invariants: once deny_everything() has returned nothing, every DMA request of the unit's devices ends at a root table
//             without present entries, and every interrupt request at the interrupt table that was given.
// Spec:       Intel VT-d 4.1, 6.5.2 "Queued Invalidation Interface", 11.4 "Register Descriptions", 9.1 "Root Entry", 9.9
//             "Interrupt Remapping Table Entry",
//             9.3 "Context Entry", 5.1.2.2 "Interrupt Requests in Remappable Format".
#pragma once

#include "arch/x86_64/iommu/answer.hpp"
#include "arch/x86_64/iommu/vtd_live.hpp"
#include "hypervisor/core/acpi/tables.hpp"
#include "hypervisor/core/pci/vtd_unit.hpp"

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

template <typename Registers> class Unit : public Live<Registers> {
public:
    static constexpr std::uint64_t table_frames = 2, // root table, interrupt table
        register_bytes = acpi::unit_bytes(acpi::RemappingKind::vtd);

    explicit Unit(Registers registers) : Live<Registers>(registers) {}

    // Entry n of the interrupt table: an NMI of the nth I/O APIC's to one CPU. The root table stays empty.
    static void fill(const Frames& frames, std::span<const acpi::IoApicSource> io_apics,
                     std::uint32_t apic_id) {
        constexpr std::uint64_t deliver_nmi = 4u << 5;
        const Words entries = frames.table.subspan(words_a_frame);
        for (std::size_t i = 0; i < io_apics.size(); ++i) {
            entries[2 * i] = present | deliver_nmi | std::uint64_t{apic_id} << (frames.wide ? 32 : 40);
            entries[2 * i + 1] = interrupt_high(io_apics[i].requester);
        }
    }
    [[nodiscard]] pci::VtdUnit can() const {
        return {registers_.read64(capability_offset), registers_.read64(extended_offset)};
    }
    [[nodiscard]] bool remaps_interrupts() const { return can().remaps_interrupts(); }
    [[nodiscard]] bool can_be_wide() const { return can().can_be_wide(); }
    [[nodiscard]] bool keeps_devices_apart() const { return can().keeps_devices_apart(); }
    [[nodiscard]] unsigned levels() const { return can().levels(); }
    // Nothing, or what is wrong with the unit. What firmware had set up is replaced.
    [[nodiscard]] const char* deny_everything(const Frames& frames) const {
        const std::uint64_t capability = registers_.read64(capability_offset);
        if (!can().has_queue())
            return pci::VtdUnit::no_queue;
        if (Base::fault_record(capability, Base::fault_records(capability)) > base::page_size)
            return "its fault records lie beyond its first page";
        const bool remaps = remaps_interrupts();
        const std::uint64_t entries = physical(frames.table[words_a_frame]);
        registers_.write32(fault_control_offset, fault_interrupt_masked);
        const bool set_up =
            turn(queued, false) && turn(compatibility_interrupts, false) &&
            (!can().needs_write_flush() || command(write_buffer_flush, 0)) &&
            point(root_offset, physical(frames.table[0]), set_root) && start_queue(frames) &&
            (!remaps || point(interrupts_offset, entries | entries_256 | (frames.wide ? extended_mode : 0),
                              set_interrupts)) &&
            forget_all(frames, remaps) && turn(translation, true) && (!remaps || turn(interrupts, true));
        return set_up ? nullptr : "it does not obey its command register";
    }

private:
    using Base = Live<Registers>;
    using Base::capability_offset, Base::queue_tail_offset, Base::registers_;

    static constexpr std::uint32_t extended_offset = 0x10, command_offset = 0x18, status_offset = 0x1c,
                                   root_offset = 0x20, fault_control_offset = 0x38, queue_offset = 0x90,
                                   interrupts_offset = 0xb8;
    static constexpr std::uint64_t entries_256 = 7, extended_mode = 1u << 11;
    // Bits of the command register and of the status register alike.
    static constexpr std::uint32_t translation = 1u << 31, set_root = 1u << 30, set_fault_log = 1u << 29,
                                   write_buffer_flush = 1u << 27, queued = 1u << 26, interrupts = 1u << 25,
                                   set_interrupts = 1u << 24, compatibility_interrupts = 1u << 23,
                                   fault_interrupt_masked = 1u << 31;
    static constexpr std::uint32_t lasting =
        ~(set_root | set_fault_log | write_buffer_flush | set_interrupts);

    // Writes the command register and waits until the status register shows `answer` in that bit.
    [[nodiscard]] bool command(std::uint32_t bit, std::uint32_t answer, bool on = true) const {
        const std::uint32_t now = registers_.read32(status_offset) & lasting;
        registers_.write32(command_offset, on ? now | bit : now & ~bit);
        return wait_until([=, this] { return (registers_.read32(status_offset) & bit) == answer; });
    }
    [[nodiscard]] bool turn(std::uint32_t bit, bool on) const {
        return ((registers_.read32(status_offset) & bit) != 0) == on || command(bit, on ? bit : 0, on);
    }
    [[nodiscard]] bool point(std::uint32_t where, std::uint64_t table, std::uint32_t bit) const {
        registers_.write64(where, table);
        return command(bit, bit);
    }
    [[nodiscard]] bool forget_all(const Frames& frames, bool remaps) const {
        this->forget(frames, remaps);
        return wait_until([&frames] { return Base::has_forgotten(frames); });
    }
    [[nodiscard]] bool start_queue(const Frames& frames) const {
        registers_.write64(queue_tail_offset, 0);
        registers_.write64(queue_offset, physical(frames.queue[0]));
        return command(queued, queued);
    }
};

} // namespace iommu::vtd
