// SPDX-License-Identifier: Apache-2.0
// hypervisor/core/audit/vmcs_state.hpp - the value `vmcs` of a record about a VM entry that the CPU refused: fields of the VMCS
// in hexadecimal, one after the other, a comma behind each. The tool says which check they do not pass.
//
// Pure. Spec: Intel SDM vol. 3, appendix B "Field Encoding in VMCS".
#pragma once

#include <array>
#include <cstdint>

namespace audit {

// In the order of vmx_entry::GuestState (image-tools/journal).
inline constexpr std::array<std::uint16_t, 26> vmcs_state{
    0x6800, 0x6802, 0x6804, 0x2806, 0x2804, 0x681a, 0x6820, 0x681e, 0x6822, 0x4012, 0x4016, 0x4824, 0x4826,
    0x4816, 0x4818, 0x4822, 0x4802, 0x480e, 0x4810, 0x4812, 0x6808, 0x680e, 0x6810, 0x6814, 0x6816, 0x6818};

} // namespace audit
