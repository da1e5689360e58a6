// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/amdvi.hpp - one AMD-Vi unit, set so that no device reaches memory and no device interrupts.
//
// Invariants: once deny_everything() has returned nothing, every request of the unit's devices meets a device table entry
//             that is valid, translates nothing and allows neither reading, writing nor interrupts.
// Spec:       AMD I/O Virtualization Technology (IOMMU) 3.08: 2.2.2 "Device Table", 2.4 "Commands", 2.5 "Event
//             Logging", 3.4 "IOMMU MMIO Registers".
#pragma once

#include "arch/x86_64/iommu/amdvi_faults.hpp"
#include "arch/x86_64/iommu/answer.hpp"
#include "hypervisor/core/acpi/tables.hpp"

namespace iommu::amdvi {

template <typename Registers> class Unit : public Faults<Registers> {
public:
    // A device table with four words for each of 65,536 requesters.
    static constexpr std::uint64_t words_per_device = 4,
                                   table_frames = 65536 * words_per_device * 8 / base::page_size,
                                   register_bytes = acpi::unit_bytes(acpi::RemappingKind::amdvi);

    explicit Unit(Registers registers) : Faults<Registers>(registers) {}

    // Nobody reaches memory, and of interrupts only the I/O APICs' NMIs pass.
    static void fill(const Frames& frames, std::span<const acpi::IoApicSource> io_apics, std::uint32_t) {
        // Valid, translation valid, mode 0: access is what IR and IW say, and both are 0. Interrupts valid, control 0: none.
        constexpr std::uint64_t deny_memory = 3, deny_interrupts = 1, pass_nmi = std::uint64_t{1} << 58;
        for (std::size_t i = 0; i + words_per_device <= frames.table.size(); i += words_per_device) {
            frames.table[i] = deny_memory;
            frames.table[i + 2] = deny_interrupts;
        }
        for (const acpi::IoApicSource& source : io_apics)
            frames.table[source.requester * words_per_device + 2] = deny_interrupts | pass_nmi;
    }

    // Nothing, or what is wrong with the unit. What firmware had set up is replaced, its exclusion range too.
    [[nodiscard]] const char* deny_everything(const Frames& frames) const {
        constexpr std::uint64_t entries_256 = std::uint64_t{8} << 56;
        if ((registers_.read64(features_offset) & has_invalidate_all) == 0)
            return "it cannot invalidate everything at once";
        registers_.write64(control_offset, 0);
        registers_.write64(device_table_offset, physical(frames.table[0]) | (table_frames - 1));
        registers_.write64(commands_offset, physical(frames.queue[0]) | entries_256);
        registers_.write64(events_offset, physical(frames.log[0]) | entries_256);
        for (const std::uint32_t zero : {exclusion_offset, exclusion_offset + 8, command_head_offset,
                                         command_tail_offset, event_head_offset, event_tail_offset})
            registers_.write64(zero, 0);
        registers_.write64(control_offset, enable | log_events | run_commands);
        return invalidate(frames) ? nullptr : "it does not run its commands";
    }

private:
    static constexpr std::uint32_t device_table_offset = 0, commands_offset = 8, events_offset = 0x10,
                                   exclusion_offset = 0x20, features_offset = 0x30,
                                   command_head_offset = 0x2000, command_tail_offset = 0x2008;
    static constexpr std::uint64_t has_invalidate_all = 1u << 6;
    using Base = Faults<Registers>;
    using Base::registers_, Base::control_offset, Base::event_head_offset, Base::event_tail_offset,
        Base::enable, Base::log_events, Base::run_commands;

    // Everything cached of the former table is dropped, the end awaited.
    [[nodiscard]] bool invalidate(const Frames& frames) const {
        constexpr std::uint64_t all = std::uint64_t{8} << 60, wait = std::uint64_t{1} << 60 | 1, done = 0xd0;
        volatile std::uint64_t& answer = frames.log[511]; // the end of the event log, which is empty
        frames.queue[0] = all;
        frames.queue[2] = wait | physical(answer);
        frames.queue[3] = done;
        registers_.write64(command_tail_offset, 32);
        return wait_until([&answer] { return answer == done; });
    }
};

} // namespace iommu::amdvi
