// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/iommu/vtd_faults.hpp - what a VT-d unit has refused.
// Spec: Intel VT-d 4.1, 11.4.7 "Fault Status and Recording Registers".
#pragma once

#include "arch/x86_64/iommu/iommu.hpp"

namespace iommu::vtd {

template <typename Registers> class Faults {
public:
    explicit Faults(Registers registers) : registers_(registers) {}

    // The next refused access, if there is one; its record is free again.
    [[nodiscard]] std::optional<Fault> next_fault(const Frames&) const {
        constexpr std::uint32_t overflow = 1, pending = 2;
        const std::uint32_t status = registers_.read32(fault_status_offset);
        if ((status & (overflow | pending)) == 0)
            return std::nullopt;
        registers_.write32(fault_status_offset, overflow);
        const std::uint64_t capability = registers_.read64(capability_offset);
        for (unsigned i = 0; i < fault_records(capability); ++i) {
            const std::uint32_t at = fault_record(capability, i);
            const std::uint64_t high = registers_.read64(at + 8);
            if ((high >> 63) == 0)
                continue;
            const Fault fault{static_cast<std::uint16_t>(high), static_cast<std::uint8_t>(high >> 32),
                              (high >> 62 & 1) == 0, (status & overflow) != 0, registers_.read64(at)};
            registers_.write32(at + 12, std::uint32_t{1} << 31); // write one to clear
            return fault;
        }
        return std::nullopt;
    }

protected:
    static constexpr std::uint32_t capability_offset = 8;

    static constexpr unsigned fault_records(std::uint64_t capability) {
        return static_cast<unsigned>(capability >> 40 & 0xff) + 1;
    }
    static constexpr std::uint32_t fault_record(std::uint64_t capability, unsigned index) {
        return static_cast<std::uint32_t>(capability >> 24 & 0x3ff) * 16 + index * 16;
    }

    Registers registers_;

private:
    static constexpr std::uint32_t fault_status_offset = 0x34;
};

} // namespace iommu::vtd
