// SPDX-License-Identifier: Apache-2.0
// arch/x86_64/cpu/registers.hpp - names of control-register bits, MSRs and selectors.
// Spec: AMD APM vol. 2 "System Resources", appendix A "MSR Cross-Reference"; Intel SDM vol. 4.
#pragma once

#include <cstdint>

namespace cpu {

namespace msr {
inline constexpr std::uint32_t pat = 0x277, spec_ctrl = 0x48, pred_cmd = 0x49, flush_cmd = 0x10b,
                               x2apic_first = 0x800, efer = 0xc0000080, star = 0xc0000081, lstar = 0xc0000082,
                               cstar = 0xc0000083, sfmask = 0xc0000084, gs_base = 0xc0000101,
                               kernel_gs_base = 0xc0000102, tsc_aux = 0xc0000103;
}

// Selectors of every GDT that the hypervisor loads.
inline constexpr std::uint16_t code_selector = 0x08, data_selector = 0x10, task_selector = 0x18;

} // namespace cpu
