// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/amdvi_faults.hpp - what an AMD-Vi unit has refused.
// Spec: AMD I/O Virtualization Technology (IOMMU) 3.08: 2.5 "Event Logging", 3.4 "IOMMU MMIO Registers".
#pragma once

#include "arch/x86_64/iommu/iommu.hpp"

namespace iommu::amdvi {

template <typename Registers> class Faults {
public:
    explicit Faults(Registers registers) : registers_(registers) {}

    // The next refused access, if there is one; its place in the log is free again.
    [[nodiscard]] std::optional<Fault> next_fault(const Frames& frames) const {
        constexpr std::uint64_t overflow = 1, log_bytes = base::page_size;
        const bool lost = (registers_.read64(status_offset) & overflow) != 0;
        const std::uint64_t head = registers_.read64(event_head_offset) % log_bytes;
        if (head == registers_.read64(event_tail_offset) % log_bytes)
            return std::nullopt;
        const std::uint64_t first = frames.log[head / 8];
        const Fault fault{static_cast<std::uint16_t>(first), static_cast<std::uint8_t>(first >> 60),
                          (first >> 53 & 1) != 0, lost, frames.log[head / 8 + 1]};
        registers_.write64(event_head_offset, (head + 16) % log_bytes);
        if (lost) { // a log that overflowed has stopped and is started anew
            registers_.write64(control_offset, enable | run_commands);
            registers_.write64(status_offset, overflow);
            registers_.write64(control_offset, enable | log_events | run_commands);
        }
        return fault;
    }

protected:
    static constexpr std::uint32_t control_offset = 0x18, event_head_offset = 0x2010,
                                   event_tail_offset = 0x2018;
    static constexpr std::uint64_t enable = 1, log_events = 1u << 2, run_commands = 1u << 12;

    Registers registers_;

private:
    static constexpr std::uint32_t status_offset = 0x2020;
};

} // namespace iommu::amdvi
